import { minuteMs } from "#platform/time.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import type { ForecastOutcome } from "./decide-forecast-outcome.ts";

/** A forecast that was compared with the actual rates. */
export interface ScoredForecast extends Omit<ForecastOutcome, "riseQps" | "steps"> {
  readonly startMs: number;
  readonly model: string;
}

/** Time within which rises, or alarms, count as one: the reach of a forecast. */
const sameEventMs = 15 * minuteMs;

/**
 * Counts rises and alarms, each of which shows in the outcomes of many forecasts. A rise is a hit when any forecast predicted it before it
 * began; alarms within 15 minutes of each other count as one.
 * @param forecasts oldest first.
 * @returns also the time from the first warning to the rise, for each hit; in order of time.
 */
export function countRises(forecasts: readonly ScoredForecast[]) {
  const rises: { firstMs: number; leadMs: number | null }[] = [];
  const onsets = forecasts
    .filter((forecast) => forecast.onsetMs !== null)
    .sort((a, b) => (a.onsetMs as number) - (b.onsetMs as number));
  for (const { onsetMs, rise, startMs } of onsets) {
    const atMs = onsetMs as number;
    let last = rises.at(-1);
    if (last === undefined || atMs - last.firstMs >= sameEventMs) {
      last = { firstMs: atMs, leadMs: null };
      rises.push(last);
    }
    if (rise === "hit") last.leadMs = Math.max(last.leadMs ?? 0, atMs - startMs);
  }
  let falseAlarms = 0;
  let lastAlarmMs = Number.NEGATIVE_INFINITY;
  for (const { rise, startMs } of forecasts) {
    if (rise !== "false-alarm") continue;
    if (startMs - lastAlarmMs >= sameEventMs) falseAlarms += 1;
    lastAlarmMs = startMs;
  }
  const leadsMs = rises.map(({ leadMs }) => leadMs).filter((leadMs) => leadMs !== null);
  return { hits: leadsMs.length, misses: rises.length - leadsMs.length, falseAlarms, leadsMs };
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);

/** Sums up the accuracy of forecasts; figures without data are null. */
export function summarizeAccuracy(forecasts: readonly ScoredForecast[], windowMs: number): ForecastAccuracy {
  let absoluteError = 0;
  let signedError = 0;
  let actual = 0;
  let peakError = 0;
  let peakActual = 0;
  let judged = 0;
  let covered = 0;
  const served: Record<string, number> = {};
  for (const forecast of forecasts) {
    absoluteError += forecast.absoluteError;
    signedError += forecast.signedError;
    actual += forecast.actual;
    peakError += Math.abs(forecast.peakForecastQps - forecast.peakActualQps);
    peakActual += forecast.peakActualQps;
    if (forecast.covered !== null) judged += 1;
    if (forecast.covered === true) covered += 1;
    served[forecast.model] = (served[forecast.model] ?? 0) + 1;
  }
  const { hits, misses, falseAlarms, leadsMs } = countRises(forecasts);
  const lead = median(leadsMs);
  return {
    windowMs,
    forecasts: forecasts.length,
    wapePercent: actual > 0 ? (100 * absoluteError) / actual : null,
    biasPercent: actual > 0 ? (100 * signedError) / actual : null,
    peakWapePercent: peakActual > 0 ? (100 * peakError) / peakActual : null,
    coverage95: share(covered, judged),
    rises: hits + misses,
    hits,
    misses,
    falseAlarms,
    hitRate: share(hits, hits + misses),
    missRate: share(misses, hits + misses),
    falseAlarmRate: share(falseAlarms, hits + falseAlarms),
    medianLeadMinutes: lead === null ? null : lead / minuteMs,
    served,
  };
}
