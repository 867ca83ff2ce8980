import type { BacktestFleet } from "./backtest-fleet.ts";
import type { ForecastReplay } from "./replay-forecasts.ts";
import type { FleetState, FleetTarget, MinuteOutcome } from "./simulate-fleet.ts";

/** Information that a policy has at the start of a minute. */
export interface PolicyView {
  readonly fleet: BacktestFleet;
  /** False while the capacities are not yet measured. */
  readonly isProven: boolean;
  readonly minute: number;
  /** Start of the minute, ms since the epoch. */
  readonly atMs: number;
  readonly state: FleetState;
  /** Returns the rate of a minute that has passed; 0 before the first. */
  rateAt(minute: number): number;
  /** Outcome of the minute before; null at the beginning. */
  readonly newest: MinuteOutcome | null;
  /** Returns the forecast made from the minutes that have passed. */
  forecast(): ForecastReplay;
  /** Returns the rates that will come: only for the oracle. */
  futureQps(minutes: number): readonly number[];
}

/** Decides once a minute what the fleet should be. */
export interface BacktestPolicy {
  decide(view: PolicyView): FleetTarget;
}
