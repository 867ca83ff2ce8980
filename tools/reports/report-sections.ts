import type { PolicyResult } from "#controller/scaling/backtest/run-backtest.ts";
import type { Backtest } from "#forecast/backtest.ts";
import type { Replay } from "#forecast/judge/replay-forecasts.ts";

/** Part of one trace in the report about forecasts. */
export interface ReportSection {
  readonly name: string;
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly timeZone: string;
  /** The whole series, requests per second; null: not counted. */
  readonly qps: readonly (number | null)[];
  readonly figures: Omit<Backtest, "replay">;
  readonly replay: Replay;
}

/** Part of one trace in the report about scaling policies. */
export interface TraceReport {
  readonly name: string;
  readonly startMs: number;
  readonly rates: readonly number[];
  readonly results: readonly PolicyResult[];
  readonly rows: readonly (readonly string[])[];
}
