import { maxGaps } from "#forecast/data/sample-windows.ts";
import { anchorMinutes, inputMinutes } from "#forecast/data/window-features.ts";
import type { ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";

export interface ForecastSituation {
  /** Minutes from the oldest recorded one to the newest of the history; 0 when nothing was recorded. */
  readonly recordedSpanMinutes: number;
  /** Recorded minutes among the newest 60 … */
  readonly recordedMinutes: number;
  /** … and those of them with traffic. */
  readonly busyMinutes: number;
  readonly worker: ForecastWorkerState;
}

/** Model that forecasts: the network, the moving average, or zero where there is no traffic to continue. */
export type ForecastModelDecision =
  | { readonly model: "zero"; readonly rule: "nothing-recorded" }
  | { readonly model: "zero"; readonly rule: "no-traffic"; readonly recordedMinutes: number }
  | { readonly model: "lstm"; readonly rule: "enough-recorded"; readonly filledMinutes: number }
  | ({ readonly model: "moving-average"; readonly averagedMinutes: number } & StandInRule);

/** Cause for which the moving average stands in for the network. */
type StandInRule =
  | { readonly rule: "short-record"; readonly recordedSpanMinutes: number }
  | { readonly rule: "too-many-gaps"; readonly missingMinutes: number }
  | {
      readonly rule: "network-not-ready";
      readonly state: Exclude<ForecastWorkerState["kind"], "ready">;
      /** Cause of a lost network; null where the state says it all. */
      readonly problem: string | null;
    };

/** Chooses the network where it has the input it was trained on, the moving average elsewhere. */
export function decideForecastModel(situation: ForecastSituation): ForecastModelDecision {
  const { recordedSpanMinutes, recordedMinutes, busyMinutes, worker } = situation;
  if (recordedMinutes === 0) return { model: "zero", rule: "nothing-recorded" };
  if (busyMinutes === 0) return { model: "zero", rule: "no-traffic", recordedMinutes };
  const average = { model: "moving-average", averagedMinutes: Math.min(recordedMinutes, anchorMinutes) } as const;
  if (recordedSpanMinutes < inputMinutes) return { ...average, rule: "short-record", recordedSpanMinutes };
  const missingMinutes = inputMinutes - recordedMinutes;
  if (missingMinutes > maxGaps) return { ...average, rule: "too-many-gaps", missingMinutes };
  if (worker.kind === "ready") return { model: "lstm", rule: "enough-recorded", filledMinutes: missingMinutes };
  const problem = worker.kind === "lost" ? worker.reason : null;
  return { ...average, rule: "network-not-ready", state: worker.kind, problem };
}
