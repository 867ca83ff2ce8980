import { Value } from "@sinclair/typebox/value";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import type { PeakAt, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideReplicas } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import { ReplicaInputs } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { joulesPerKwh } from "#platform/energy.ts";
import { minuteMs } from "#platform/time.ts";
import type { BacktestFleet } from "./backtest-fleet.ts";
import type { BacktestPolicy, PolicyView } from "./backtest-policy.ts";
import { orderUnits } from "./choose-units.ts";
import { off } from "./simulate-fleet.ts";

/** Creates a policy that says how many units serve; their order is always the same. */
function countingPolicy(
  fleet: BacktestFleet,
  count: (view: PolicyView, current: number, order: ReturnType<typeof orderUnits>) => number,
): BacktestPolicy {
  const order = orderUnits(fleet);
  let current = fleet.devices.reduce((sum, make) => sum + make.count, 0);
  return {
    decide(view) {
      current = Math.max(1, Math.min(order.capacities.length, count(view, current, order)));
      return order.target(current);
    },
  };
}

/** Keeps every device serving, always. */
export const staticAll = (fleet: BacktestFleet) =>
  countingPolicy(fleet, () => fleet.devices.reduce((sum, { count }) => sum + count, 0));

/** Keeps as many serving as the busiest minute of the whole record needs, always. */
export const staticPeak = (fleet: BacktestFleet, peakQps: number) =>
  countingPolicy(fleet, (_view, _current, order) => order.countFor(peakQps));

/** Target utilisation of HPA: 70 % of a unit's capacity, the usual target for a GPU. At 80 % it loses four times as many minutes. */
export const usualTarget = 0.7;

/** Kubernetes' HPA v2 with its defaults (10 % tolerance, 5 min of stabilisation down) on requests per second per replica. */
export function hpa(
  fleet: BacktestFleet,
  target: number = usualTarget,
  floor: (view: PolicyView) => number = () => 1,
): BacktestPolicy {
  let recommendations: { minute: number; replicas: number }[] = [];
  let changes: { minute: number; delta: number }[] = [];
  return countingPolicy(fleet, (view, current, order) => {
    if (view.minute === 0) return current;
    const largest = order.capacities[0] ?? 1;
    recommendations = recommendations.filter(({ minute }) => view.minute - minute <= 5);
    changes = changes.filter(({ minute }) => view.minute - minute <= 5);
    const agoS = ({ minute }: { minute: number }) => (view.minute - minute) * 60;
    const decision = decideReplicas(
      Value.Default(ReplicaInputs, {
        policy: {
          minReplicas: 1,
          maxReplicas: order.capacities.length,
          metrics: [{ kind: "external", name: "qps", targetAverageValue: largest * target }],
        },
        currentReplicas: current,
        samples: [{ metric: "qps", value: view.rateAt(view.minute - 1) }],
        history: {
          recommendations: recommendations.map((each) => ({ agoS: agoS(each), replicas: each.replicas })),
          changes: changes.map((each) => ({ agoS: agoS(each), delta: each.delta })),
        },
      }) as ReplicaInputs,
    );
    recommendations.push({ minute: view.minute, replicas: decision.proposed ?? decision.replicas });
    const wanted = Math.max(decision.replicas, floor(view));
    if (wanted !== current) changes.push({ minute: view.minute, delta: wanted - current });
    return wanted;
  });
}

/**
 * KEDA with a cron scaler for each hour of the day, beside the HPA on the rate: the larger of both. An hour's floor is the need of the 95 %
 * quantile of that hour in the past week, as an operator would set it.
 */
export function kedaCron(fleet: BacktestFleet, target: number = usualTarget): BacktestPolicy {
  const byHour = Array.from({ length: 24 }, () => [] as number[]);
  const order = orderUnits(fleet);
  let floors = new Array<number>(24).fill(1);
  const hourOf = (atMs: number) => new Date(atMs).getUTCHours();
  return hpa(fleet, target, (view) => {
    const { minute, atMs } = view;
    const list = byHour[hourOf(atMs - minuteMs)] as number[];
    list.push(view.rateAt(minute - 1));
    if (list.length > 7 * 60) list.shift();
    if (minute % 1440 === 0) {
      floors = byHour.map((rates) => {
        const sorted = rates.toSorted((a, b) => a - b);
        return order.countFor(sorted[Math.floor(0.95 * (sorted.length - 1))] ?? 0);
      });
    }
    return floors[hourOf(atMs)] as number;
  });
}

/** Adds one unit above 80 % utilisation, and removes one after ten minutes in a row below 50 %. */
export function threshold(fleet: BacktestFleet): BacktestPolicy {
  let calmMinutes = 0;
  return countingPolicy(fleet, (view, current, order) => {
    if (view.minute === 0) return current;
    const capacity = order.capacities.slice(0, current).reduce((sum, qps) => sum + qps, 0);
    const utilization = view.rateAt(view.minute - 1) / capacity;
    calmMinutes = utilization < 0.5 ? calmMinutes + 1 : 0;
    if (utilization > 0.8) return current + 1;
    if (calmMinutes < 10) return current;
    calmMinutes = 0;
    return current - 1;
  });
}

/** The controller's own rule under `scaling.policy: active-agents`. Devices only. */
export function predictive(fleet: BacktestFleet): BacktestPolicy {
  const order = orderUnits(fleet);
  const devices = fleet.devices.reduce((sum, { count }) => sum + count, 0);
  const terms = Value.Default(ScalingConfig, {
    targetUtilization: fleet.targetUtilization,
    minReplicas: 1,
    maxReplicas: devices,
  }) as ScalingConfig;
  const all = order.target(devices);
  const ids = all.modes.map((_, place) => `device-${String(place).padStart(5, "0")}`);
  let modes = [...all.modes];
  let recentPeaks: PeakAt[] = [];
  return {
    decide(view) {
      const { atMs, minute } = view;
      const policy = { ...terms, capacityPerReplicaQps: orderUnits(view.fleet).capacities[0] ?? 1 };
      const { expectedQps } = view.forecast();
      const liveQps = minute === 0 ? null : view.rateAt(minute - 1);
      const inputs: ScalingInputs = {
        warmUpEndsMs: 0,
        observedSinceMs: Number.NEGATIVE_INFINITY,
        liveQps,
        forecastPeakQps: expectedQps.length === 0 ? null : Math.max(...expectedQps),
        missingData: [],
        recentPeaks,
        candidates: modes.map((mode, place) => {
          const make = view.fleet.devices[view.state.devices[place]?.make ?? 0];
          const top = make?.modes[all.modes[place] as number];
          const wattsPerQps = top === undefined ? null : top.busyWatts / top.capacityQps;
          return {
            agentId: ids[place] as string,
            unavailable: null,
            active: mode !== off,
            capacityQps: top?.capacityQps ?? 0,
            energyUsdPerRequest: wattsPerQps === null ? null : (wattsPerQps / joulesPerKwh) * fleet.tariffUsdPerKwh,
            wattsPerQps,
            overrideRole: null,
          };
        }),
      };
      if (!view.isProven) return { modes, units: view.fleet.cloud.map(() => 0) };
      const decision = decideActiveAgents(inputs, policy, atMs);
      const { peakQps } = decision.figures;
      recentPeaks = recentPeaks.filter((peak) => peak.atMs >= atMs - policy.stabilizationMs);
      if (peakQps !== null) recentPeaks.push({ atMs, peakQps });
      if (decision.kind !== "hold") {
        const [on, away] = [new Set(decision.activate), new Set(decision.standBy)];
        modes = modes.map((mode, place) => {
          const id = ids[place] as string;
          return on.has(id) ? (all.modes[place] as number) : away.has(id) ? off : mode;
        });
      }
      return { modes, units: view.fleet.cloud.map(() => 0) };
    },
  };
}
