import { minuteMs } from "#platform/time.ts";

/** Belief of a decision beside what happened in the minutes that it was about. */
export interface Aftermath {
  /**
   * unknown: it believed nothing, or nothing is on record; going-on: its time is not over; else the peak that came beside the one it believed in.
   */
  readonly rule: "unknown" | "going-on" | "as-believed" | "more" | "less";
  readonly believedPeakQps: number | null;
  /** Highest minute that is on record; null: none is. */
  readonly actualPeakQps: number | null;
  /** Whole minutes that the decision was about, ms. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Part of the believed peak by which the actual one may differ and still count as believed. */
const tolerance = 0.2;
/** Rates below which a difference is noise, texts/s. */
const noiseQps = 1;

/**
 * Compares the peak that a decision believed in with the fleet's rates after it.
 * @param minutes rates of the fleet, of the minutes after the decision.
 */
export function decideAftermath(
  decision: { readonly atMs: number; readonly inputs: Readonly<Record<string, unknown>> },
  minutes: readonly { readonly minuteStartMs: number; readonly qps: number }[],
  horizonMinutes: number,
  nowMs: number,
): Aftermath {
  const startMs = Math.ceil(decision.atMs / minuteMs) * minuteMs;
  const endMs = startMs + horizonMinutes * minuteMs;
  const believed = decision.inputs["peakQps"];
  const believedPeakQps = typeof believed === "number" && Number.isFinite(believed) ? believed : null;
  const rates = minutes.filter(({ minuteStartMs: at }) => at >= startMs && at < endMs).map(({ qps }) => qps);
  const actualPeakQps = rates.length === 0 ? null : Math.max(...rates);
  const of = { believedPeakQps, actualPeakQps, startMs, endMs };
  if (believedPeakQps === null) return { rule: "unknown", ...of };
  const difference = (actualPeakQps ?? 0) - believedPeakQps;
  const isBeyond = Math.abs(difference) > Math.max(noiseQps, tolerance * believedPeakQps);
  // More than was believed is known at once; that less came is known at the end.
  if (actualPeakQps !== null && difference > 0 && isBeyond) return { rule: "more", ...of };
  // The last minute of the time is stored within the minute after it.
  if (nowMs < endMs + minuteMs) return { rule: "going-on", ...of };
  if (actualPeakQps === null) return { rule: "unknown", ...of };
  return { rule: isBeyond ? "less" : "as-believed", ...of };
}
