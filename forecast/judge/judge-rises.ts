import { decideForecastOutcome } from "#forecast/accuracy/decide-forecast-outcome.ts";
import { type ScoredForecast, summarizeAccuracy } from "#forecast/accuracy/summarize-accuracy.ts";
import type { RateSeries } from "#forecast/data/training-samples.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import type { Replay } from "./replay-forecasts.ts";

/** Rises of traffic that call for more capacity, and alarms. */
export type RiseFigures = Pick<
  ForecastAccuracy,
  "rises" | "hits" | "misses" | "falseAlarms" | "hitRate" | "missRate" | "falseAlarmRate" | "medianLeadMinutes"
>;

const levelMs = 5 * minuteMs;

/** Judges the champion's warnings of rises as the live accuracy does, by the median of its peak. */
export function judgeRises(replay: Replay, { startMs, qps }: RateSeries, stepMs: number): RiseFigures {
  const levelSteps = Math.max(1, Math.round(levelMs / stepMs));
  const scored: ScoredForecast[] = [];
  for (const [index, origin] of replay.origins.entries()) {
    const served = replay.served[index];
    const newest = qps.slice(origin - levelSteps, origin).filter((rate) => rate !== null);
    if (index < replay.judgedFrom || served === undefined || newest.length === 0) continue;
    const made = {
      madeAtMs: startMs + origin * stepMs,
      model: "champion",
      startMs: startMs + origin * stepMs,
      stepMs,
      levelQps: newest.reduce((sum, rate) => sum + rate, 0) / newest.length,
      qps: served.path[0] as readonly number[],
      peakQps: served.peak[0],
      upperPeakQps: served.peak[2],
    };
    const outcome = decideForecastOutcome(made, replay.actual[index] as readonly number[]);
    if (outcome !== null) scored.push({ ...outcome, startMs: made.startMs, model: made.model });
  }
  const { rises, hits, misses, falseAlarms, hitRate, missRate, falseAlarmRate, medianLeadMinutes } = summarizeAccuracy(
    scored,
    (qps.length + 1) * stepMs,
  );
  return { rises, hits, misses, falseAlarms, hitRate, missRate, falseAlarmRate, medianLeadMinutes };
}
