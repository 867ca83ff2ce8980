import { playScalingPolicy } from "../policy/play-scaling-policy.ts";
import type { ScalingPolicy } from "../policy/scaling-policy.ts";
import type { BacktestFleet } from "./backtest-fleet.ts";
import type { BacktestPolicy } from "./backtest-policy.ts";
import { orderUnits } from "./choose-units.ts";

/** Plays a ScalingPolicy as a controller would follow it: once a minute, on the minute before and on forecasts made from the past. */
export function replayScalingPolicy(given: ScalingPolicy, fleet: BacktestFleet): BacktestPolicy {
  const order = orderUnits(fleet);
  const play = playScalingPolicy(given);
  let current = fleet.devices.reduce((sum, { count }) => sum + count, 0);
  return {
    decide(view) {
      const { atMs, minute } = view;
      const liveQps = minute === 0 ? null : view.rateAt(minute - 1);
      const { decision } = play({ atMs, replicas: current, liveQps, expectedQps: view.forecast().expectedQps });
      current = Math.min(decision.replicas, order.capacities.length);
      return order.target(current);
    },
  };
}
