import { type PlannableAgent, toPlanInput } from "../apply-plan/to-plan-input.ts";
import type { ScalingConfig } from "../loop/scaling-config.ts";
import type { BacktestFleet, FleetDevices } from "./backtest-fleet.ts";

/** Maximum device types kept separate; agents of further ones count as the last. */
const maxMakes = 100;

const lastOf = (makes: ReadonlyMap<string, unknown>) => [...makes.keys()].at(-1) as string;

/** Returns the fleet of a backtest from the agents that there are: devices by make and modes, with their prices. Null without any. */
export function fleetOfAgents(
  name: string,
  agents: readonly PlannableAgent[],
  config: Pick<ScalingConfig, "capacityPerReplicaQps" | "targetUtilization" | "plan">,
): BacktestFleet | null {
  if (agents.length === 0) return null;
  const input = toPlanInput(agents, [0], config, config.plan);
  const makes = new Map<string, FleetDevices>();
  for (const { id: _id, state: _state, stateForS: _for, mode: _mode, minActiveS, ...make } of input.devices) {
    // An operator who keeps one on now says nothing of the past.
    const own = { ...make, minActiveS: Math.min(minActiveS, config.plan.minActiveS) };
    const json = JSON.stringify(own);
    const key = makes.size >= maxMakes && !makes.has(json) ? lastOf(makes) : json;
    const known = makes.get(key);
    makes.set(key, known === undefined ? { ...own, count: 1 } : { ...known, count: known.count + 1 });
  }
  // Devices of one board may differ in their modes or prices: classes have to be told apart.
  const devices = [...makes.values()].map((make, index) => ({
    ...make,
    class: `${make.class} ${index + 1}`.slice(0, 128),
  }));
  const { targetUtilization, spareDevices, slo, tariffUsdPerKwh, shortfallUsdPerRequest } = input;
  return {
    ...{ name, peakQps: null, devices, cloud: [] },
    ...{ targetUtilization, spareDevices, slo, tariffUsdPerKwh, shortfallUsdPerRequest },
  };
}
