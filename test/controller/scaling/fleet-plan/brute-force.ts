import type { FleetPlanInput, PlanDevice } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";

/** One way for a unit to spend the horizon, as the rules of docs/fleet-plan.md allow it. */
interface Way {
  readonly usd: number;
  /** Capacity in each step, its cost per qps, and its worth as cover for others: nothing while it switches. */
  readonly carried: readonly number[];
  readonly usdPerQps: readonly number[];
  readonly cover: readonly number[];
}

type State =
  | { readonly is: "off"; readonly since: number }
  | { readonly is: "starting"; readonly serves: number }
  | { readonly is: "on"; readonly since: number; readonly mode: string; readonly switched: number };

const long = 1e9;

/** All ways of one device, followed second by second in its states. Written apart from the planner's own code, to check it. */
function waysOf(device: PlanDevice, input: FleetPlanInput): Way[] {
  const { stepS, horizonSteps, tariffUsdPerKwh, targetUtilization, slo } = input;
  const modes = device.modes.filter(({ p95Ms, capacityQps }) => p95Ms <= slo.p95Ms && capacityQps > 0);
  const kwhUsd = (watts: number, seconds: number) => (watts / 1000) * (seconds / 3600) * tariffUsdPerKwh;
  const hourly = (device.usdPerHourActive / 3600) * stepS;
  const startWatts = Math.max(...device.modes.map(({ idleWatts }) => idleWatts));
  const ways: Way[] = [];
  const steps = (seconds: number) => Math.ceil(seconds / stepS);
  const follow = (step: number, state: State, way: Way) => {
    if (step === horizonSteps) {
      ways.push(way);
      return;
    }
    const add = (usd: number, carried = 0, usdPerQps = 0, cover = 0): Way => ({
      usd: way.usd + usd,
      carried: [...way.carried, carried],
      usdPerQps: [...way.usdPerQps, usdPerQps],
      cover: [...way.cover, cover],
    });
    const serve = (name: string, since: number, switched: number, extraUsd: number) => {
      const mode = modes.find((each) => each.name === name);
      if (mode === undefined) return;
      const leftS = device.modeSwitchS - (step - switched) * stepS;
      const lost = Math.min(1, Math.max(0, leftS / stepS));
      const full = mode.capacityQps * targetUtilization;
      follow(
        step + 1,
        { is: "on", since, mode: name, switched },
        add(
          extraUsd + kwhUsd(mode.idleWatts, stepS) + hourly,
          full * (1 - lost),
          kwhUsd(mode.busyWatts - mode.idleWatts, stepS) / mode.capacityQps,
          lost > 0 ? 0 : full,
        ),
      );
    };
    const start = () => {
      if (steps(device.startupS) === 0) for (const { name } of modes) serve(name, step, -long, device.startupCostUsd);
      else
        follow(
          step + 1,
          { is: "starting", serves: step + steps(device.startupS) },
          add(device.startupCostUsd + kwhUsd(startWatts, stepS) + hourly),
        );
    };
    if (state.is === "off") {
      follow(step + 1, state, add(kwhUsd(device.standbyWatts, stepS)));
      if (step - state.since >= steps(device.minStandbyS)) start();
    } else if (state.is === "starting") {
      if (step < state.serves) follow(step + 1, state, add(kwhUsd(startWatts, stepS) + hourly));
      else for (const { name } of modes) serve(name, step, -long, 0);
    } else {
      serve(state.mode, state.since, state.switched, 0);
      if (step - state.switched < steps(device.modeSwitchS)) return;
      for (const { name, busyWatts, idleWatts } of modes) {
        if (name !== state.mode) serve(name, state.since, step, kwhUsd(busyWatts - idleWatts, device.modeSwitchS));
      }
      if (step - state.since >= steps(device.minActiveS)) {
        follow(step + 1, { is: "off", since: step }, add(kwhUsd(device.standbyWatts, stepS)));
        // With no minimum a device may be ordered to start again as it stops, when that takes time.
        if (steps(device.minStandbyS) === 0 && steps(device.startupS) > 0) start();
      }
    }
  };
  const nothing: Way = { usd: 0, carried: [], usdPerQps: [], cover: [] };
  const left = (seconds: number) => Math.max(0, Math.ceil((seconds - device.stateForS) / stepS));
  if (device.state === "offline" || device.state === "draining") return [];
  if (modes.length === 0) {
    return [
      {
        usd: kwhUsd(device.standbyWatts, stepS * horizonSteps),
        carried: Array<number>(horizonSteps).fill(0),
        usdPerQps: Array<number>(horizonSteps).fill(0),
        cover: Array<number>(horizonSteps).fill(0),
      },
    ];
  }
  if (device.state === "active") {
    const since = left(device.minActiveS) - steps(device.minActiveS);
    follow(0, { is: "on", since, mode: device.mode, switched: -long }, nothing);
  } else if (device.state === "standby") {
    follow(0, { is: "off", since: left(device.minStandbyS) - steps(device.minStandbyS) }, nothing);
  } else follow(0, { is: "starting", serves: left(device.startupS) }, nothing);
  return ways;
}

/** A step's load at least cost, by trying every price at which demand may be left. */
function stepUsd(input: FleetPlanInput, step: number, ways: readonly Way[], cloud: readonly Way[]): number {
  const { stepS, spareDevices, shortfallUsdPerRequest } = input;
  const demand = input.demandQps[step] as number;
  const all = [...ways, ...cloud];
  const cover = ways.map((way) => way.cover[step] as number).sort((a, b) => b - a);
  const fromCloud = cloud.reduce((sum, way) => sum + (way.carried[step] as number), 0);
  const secure =
    spareDevices === 0
      ? Number.POSITIVE_INFINITY
      : cover.slice(spareDevices).reduce((sum, qps) => sum + qps, fromCloud);
  const price = shortfallUsdPerRequest * stepS;
  const sources = all
    .map((way) => ({ qps: way.carried[step] as number, usd: way.usdPerQps[step] as number }))
    .sort((a, b) => a.usd - b.usd);
  const usdWhenServing = (served: number) => {
    let usd = 0;
    let left = served;
    for (const { qps, usd: each } of sources) {
      const load = Math.min(left, qps);
      usd += load * each;
      left -= load;
    }
    if (left > 1e-9) return Number.POSITIVE_INFINITY;
    const uncovered = Math.max(0, served - secure);
    return usd + (demand - served) * price + uncovered * price * 0.5;
  };
  // The cost is linear between these.
  const corners = [0, demand, Math.min(demand, secure)];
  let sum = 0;
  for (const { qps } of sources) {
    sum += qps;
    corners.push(Math.min(demand, sum));
  }
  return Math.min(...corners.map(usdWhenServing));
}

/** The least cost of all plans there are. Only for a handful of devices and steps. */
export function leastCostUsd(input: FleetPlanInput): number {
  const { stepS, horizonSteps, slo } = input;
  const devices = input.devices.map((device) => waysOf(device, input)).filter((ways) => ways.length > 0);
  const cloud = input.cloud
    .filter(({ p95Ms }) => p95Ms <= slo.p95Ms)
    .flatMap((offer) =>
      Array.from({ length: offer.max }, (_, index) =>
        waysOf(
          {
            id: offer.id,
            class: "cloud",
            state: index < offer.running ? "active" : "standby",
            stateForS: long,
            mode: "cloud",
            modes: [{ name: "cloud", capacityQps: offer.capacityQps, p95Ms: 0, busyWatts: 0, idleWatts: 0 }],
            standbyWatts: 0,
            startupS: offer.startupS,
            minActiveS: 0,
            minStandbyS: 0,
            modeSwitchS: 0,
            startupCostUsd: 0,
            usdPerHourActive: offer.usdPerHour,
          },
          input,
        ).map((way) => ({ ...way, usdPerQps: way.usdPerQps.map(() => offer.usdPerRequest * stepS) })),
      ),
    );
  let best = Number.POSITIVE_INFINITY;
  const choices = [...devices, ...cloud];
  const chosen: Way[] = [];
  const choose = (place: number, usd: number) => {
    if (usd >= best) return;
    if (place < choices.length) {
      for (const way of choices[place] as Way[]) {
        chosen[place] = way;
        choose(place + 1, usd + way.usd);
      }
      return;
    }
    let total = usd;
    for (let step = 0; step < horizonSteps && total < best; step += 1) {
      total += stepUsd(input, step, chosen.slice(0, devices.length), chosen.slice(devices.length));
    }
    best = Math.min(best, total);
  };
  choose(0, 0);
  return best;
}
