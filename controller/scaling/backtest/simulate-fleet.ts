import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";

export const off = -1;
const minuteS = 60;

export interface SimulatedDevice {
  readonly make: number;
  /** Place of its mode among its make's, or {@link off}. */
  mode: number;
  /** Seconds until it serves; 0 when it does or is off. */
  startingS: number;
  /** Minute since which it has been serving or off. */
  sinceMinute: number;
}

/** Target that a policy sets: each device's mode, or off, and the units of each cloud offer. */
export interface FleetTarget {
  readonly modes: readonly number[];
  readonly units: readonly number[];
}

/** Devices and cloud units that serve or start. */
export interface FleetState {
  readonly devices: readonly SimulatedDevice[];
  /** Number of units that serve, and the seconds that those that start still need, by offer. */
  readonly cloud: readonly { serving: number; startingS: number[] }[];
}

export interface MinuteOutcome {
  readonly costUsd: number;
  readonly energyKwh: number;
  readonly servedQps: number;
  readonly lostQps: number;
  /** Capacity of the serving units, at full load. */
  readonly capacityQps: number;
  readonly p95Ms: number;
  readonly sloKept: boolean;
  readonly activations: number;
  readonly modeSwitches: number;
  /** Devices and cloud units that serve or start. */
  readonly unitsOn: number;
  /** By make of devices. */
  readonly work: readonly MakeWork[];
}

/** Work of the devices of a make that serve. */
export interface MakeWork {
  servedQps: number;
  /** Rate that they can really carry, and the one by the fleet's figures. */
  trueQps: number;
  profiledQps: number;
  /** All of it was used, and more was asked for. */
  isSaturated: boolean;
}

interface Block {
  /** Make of the devices; null: cloud units. */
  readonly make: number | null;
  fullQps: number;
  readonly p95Ms: number;
  readonly usdPerQps: number;
  readonly wattsPerQps: number;
  load: number;
}

/** Returns the state in which all devices serve in their most capable mode and no cloud unit runs. */
export function initialState(fleet: BacktestFleet): FleetState {
  return {
    devices: fleet.devices.flatMap((make, index) =>
      Array.from({ length: make.count }, () => ({
        make: index,
        mode: mostCapableMode(make),
        startingS: 0,
        sinceMinute: Number.NEGATIVE_INFINITY,
      })),
    ),
    cloud: fleet.cloud.map(() => ({ serving: 0, startingS: [] })),
  };
}

/** Returns the place of the mode with the highest capacity; the first of equals. */
export function mostCapableMode({ modes }: FleetDevices): number {
  return modes.reduce(
    (best, { capacityQps }, mode) => (capacityQps > (modes[best]?.capacityQps ?? 0) ? mode : best),
    0,
  );
}

/**
 * Latency at a utilisation: up to the target the one measured there; above it, it grows like the waiting time of one server with random
 * arrivals and service (M/M/1: in proportion to 1 / (1 - utilisation)).
 */
export function p95At(measuredMs: number, targetUtilization: number, utilization: number): number {
  if (utilization <= targetUtilization) return measuredMs;
  return utilization >= 1 ? Number.POSITIVE_INFINITY : (measuredMs * (1 - targetUtilization)) / (1 - utilization);
}

/**
 * Carries out the policy's target and simulates one minute of demand. Changes `state`.
 * @param shareOf capacity of a device as a share of the fleet's figure
 */
export function simulateMinute(
  fleet: BacktestFleet,
  state: FleetState,
  target: FleetTarget,
  demandQps: number,
  minute: number,
  shareOf: (place: number) => number = () => 1,
): MinuteOutcome {
  const { targetUtilization, tariffUsdPerKwh } = fleet;
  let costUsd = 0;
  let watts = 0;
  let activations = 0;
  let modeSwitches = 0;
  let unitsOn = 0;
  const blocks = new Map<string, Block>();
  const addBlock = (key: string, block: Omit<Block, "load">) => {
    const known = blocks.get(key);
    if (known === undefined) blocks.set(key, { ...block, load: 0 });
    else known.fullQps += block.fullQps;
  };
  const work: MakeWork[] = fleet.devices.map(() => ({ servedQps: 0, trueQps: 0, profiledQps: 0, isSaturated: false }));
  const usdOfWatts = (power: number) => (power / 1000) * (minuteS / 3600) * tariffUsdPerKwh;

  for (const [place, device] of state.devices.entries()) {
    const make = fleet.devices[device.make] as FleetDevices;
    const wanted = target.modes[place] ?? off;
    let lostS = 0;
    if (wanted === off) {
      if (device.mode !== off) device.sinceMinute = minute;
      device.mode = off;
      device.startingS = 0;
    } else if (device.mode === off) {
      activations += 1;
      costUsd += make.startupCostUsd;
      device.mode = wanted;
      device.startingS = make.startupS;
      device.sinceMinute = minute + Math.ceil(make.startupS / minuteS);
    } else if (device.mode !== wanted) {
      if (device.startingS === 0) {
        modeSwitches += 1;
        lostS = make.modeSwitchS;
      }
      device.mode = wanted;
    }
    if (device.mode === off) {
      watts += make.standbyWatts;
      continue;
    }
    unitsOn += 1;
    costUsd += make.usdPerHourActive / 60;
    const mode = make.modes[device.mode] as FleetDevices["modes"][number];
    watts += mode.idleWatts;
    const away = Math.min(minuteS, device.startingS + lostS);
    device.startingS = Math.max(0, device.startingS - minuteS);
    if (away >= minuteS) continue;
    const share = shareOf(place);
    const capacityQps = mode.capacityQps * share;
    const wattsPerQps = capacityQps > 0 ? (mode.busyWatts - mode.idleWatts) / capacityQps : 0;
    const fullQps = capacityQps * (1 - away / minuteS);
    const ofMake = work[device.make] as MakeWork;
    ofMake.trueQps += fullQps;
    ofMake.profiledQps += fullQps / share;
    addBlock(`${device.make}|${device.mode}|${share}`, {
      ...{ make: device.make, fullQps, p95Ms: mode.p95Ms, usdPerQps: usdOfWatts(wattsPerQps), wattsPerQps },
    });
  }
  for (const [index, offer] of fleet.cloud.entries()) {
    const cloud = state.cloud[index] as FleetState["cloud"][number];
    const { units, ordered, capacityQps } = passMinute(offer, cloud, target.units[index] ?? 0);
    unitsOn += units;
    activations += ordered;
    costUsd += (offer.usdPerHour / 60) * units;
    if (capacityQps > 0)
      addBlock(`cloud ${index}`, {
        ...{ make: null, fullQps: capacityQps, p95Ms: offer.p95Ms },
        ...{ usdPerQps: offer.usdPerRequest * minuteS, wattsPerQps: 0 },
      });
  }

  const all = [...blocks.values()].sort((a, b) => a.usdPerQps - b.usdPerQps);
  const capacityQps = all.reduce((sum, { fullQps }) => sum + fullQps, 0);
  const servedQps = Math.min(demandQps, capacityQps);
  share(all, servedQps, capacityQps, targetUtilization);
  let p95Ms = 0;
  for (const { make, load, fullQps, p95Ms: measuredMs, usdPerQps, wattsPerQps } of all) {
    if (load <= 0) continue;
    if (make !== null) (work[make] as MakeWork).servedQps += load;
    watts += load * wattsPerQps;
    // Electricity is added up below.
    costUsd += wattsPerQps === 0 ? load * usdPerQps : 0;
    p95Ms = Math.max(p95Ms, p95At(measuredMs, targetUtilization, load / fullQps));
  }
  const lostQps = demandQps - servedQps;
  for (const ofMake of work) ofMake.isSaturated = lostQps > 1e-9;
  return {
    costUsd: costUsd + usdOfWatts(watts),
    energyKwh: (watts / 1000) * (minuteS / 3600),
    servedQps,
    lostQps,
    capacityQps,
    p95Ms,
    sloKept: lostQps <= 1e-9 && p95Ms <= fleet.slo.p95Ms,
    activations,
    modeSwitches,
    unitsOn,
    work,
  };
}

/** Shares out the load: cheapest first up to the target utilisation; more than that raises the utilisation of all alike. */
function share(blocks: Block[], servedQps: number, capacityQps: number, targetUtilization: number): void {
  if (servedQps > capacityQps * targetUtilization) {
    for (const block of blocks) block.load = (block.fullQps * servedQps) / capacityQps;
    return;
  }
  let left = servedQps;
  for (const block of blocks) {
    block.load = Math.min(left, block.fullQps * targetUtilization);
    left -= block.load;
  }
}

/** Orders and gives back units of an offer, the youngest first, and simulates a minute. */
function passMinute(offer: FleetOffer, cloud: FleetState["cloud"][number], wanted: number) {
  const units = Math.min(offer.max, Math.max(0, Math.round(wanted)));
  let ordered = 0;
  while (cloud.serving + cloud.startingS.length > units) {
    if (cloud.startingS.pop() === undefined) cloud.serving -= 1;
  }
  while (cloud.serving + cloud.startingS.length < units) {
    cloud.startingS.push(offer.startupS);
    ordered += 1;
  }
  let capacityQps = cloud.serving * offer.capacityQps;
  for (const left of cloud.startingS) capacityQps += offer.capacityQps * Math.max(0, 1 - left / minuteS);
  const still = cloud.startingS.map((left) => left - minuteS).filter((left) => left > 0);
  cloud.serving += cloud.startingS.length - still.length;
  cloud.startingS.splice(0, cloud.startingS.length, ...still);
  return { units, ordered, capacityQps };
}
