import type { BacktestFleet } from "./backtest-fleet.ts";
import type { ForecastReplay } from "./replay-forecasts.ts";
import type { FleetState, FleetTarget, MinuteOutcome } from "./simulate-fleet.ts";

/** What a policy may know at the start of a minute. */
export interface PolicyView {
  readonly fleet: BacktestFleet;
  readonly minute: number;
  /** When the minute starts, ms since the epoch. */
  readonly atMs: number;
  readonly state: FleetState;
  /** The rate of a minute that has passed; 0 before the first. */
  rateAt(minute: number): number;
  /** What came of the minute before; null at the beginning. */
  readonly newest: MinuteOutcome | null;
  /** Made from what has passed. */
  forecast(): ForecastReplay;
  /** What will come: only for the oracle. */
  futureQps(minutes: number): readonly number[];
}

/** Decides once a minute what the fleet should be. */
export interface BacktestPolicy {
  decide(view: PolicyView): FleetTarget;
}
