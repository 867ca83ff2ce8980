import { maxGaps } from "#forecast/data/sample-windows.ts";
import { anchorMinutes, inputMinutes } from "#forecast/data/window-features.ts";
import type { ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";

/** What is known when a forecast is due. */
export interface ForecastSituation {
  /** Minutes from the oldest recorded one to the newest of the history; 0 when nothing was recorded. */
  readonly recordedSpanMinutes: number;
  /** Of the 60 newest minutes, how many were recorded … */
  readonly recordedMinutes: number;
  /** … and how many of them had any traffic. */
  readonly busyMinutes: number;
  readonly worker: ForecastWorkerState;
}

/** Who forecasts: the network, the moving average, or nobody because there is no traffic to continue. */
export type ForecastModelDecision = {
  readonly model: "lstm" | "moving-average" | "zero";
  readonly reason: string;
};

function describeWorker(worker: ForecastWorkerState): string {
  switch (worker.kind) {
    case "ready":
      return "the model is ready";
    case "starting":
      return "the model is still loading";
    case "stopped":
      return "the model is stopped";
    case "lost":
      return worker.reason;
    default:
      return worker satisfies never;
  }
}

/** The network where it has what it was trained on, the moving average elsewhere. */
export function decideForecastModel(situation: ForecastSituation): ForecastModelDecision {
  const { recordedSpanMinutes, recordedMinutes, busyMinutes, worker } = situation;
  if (recordedMinutes === 0) return { model: "zero", reason: "no minute of the last hour was recorded" };
  if (busyMinutes === 0) {
    return { model: "zero", reason: `no request in the ${recordedMinutes} recorded minutes of the last hour` };
  }
  const averaged = Math.min(recordedMinutes, anchorMinutes);
  const average = (why: string): ForecastModelDecision => ({
    model: "moving-average",
    reason: `${why}: moving average of ${averaged === 1 ? "one minute" : `${averaged} minutes`}`,
  });
  if (recordedSpanMinutes < inputMinutes) return average(`${recordedSpanMinutes} of ${inputMinutes} minutes recorded`);
  const gaps = inputMinutes - recordedMinutes;
  if (gaps > maxGaps) return average(`${gaps} of the last ${inputMinutes} minutes are missing`);
  if (worker.kind !== "ready") return average(describeWorker(worker));
  const filled = gaps === 0 ? "" : `, ${gaps} missing ones filled in`;
  return { model: "lstm", reason: `${inputMinutes} minutes recorded${filled}` };
}
