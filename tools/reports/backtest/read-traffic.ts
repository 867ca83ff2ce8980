import { basename } from "node:path";
import type { BacktestTraffic } from "#controller/scaling/backtest/run-backtest.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { parseTrace, readTraceText, type Trace } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";
import { minuteMs } from "#platform/time.ts";

/** Converts a trace to rates by minute: shorter steps are averaged, longer ones repeated, gaps filled with the last rate. */
export function ratesByMinute({ stepMs, counts }: Pick<Trace, "stepMs" | "counts">): number[] {
  const minutes = Math.max(1, Math.floor((counts.length * stepMs) / minuteMs));
  const sums = new Float64Array(minutes);
  const coveredMs = new Float64Array(minutes);
  for (const [index, count] of counts.entries()) {
    if (count === null) continue;
    const rate = count / (stepMs / 1000);
    const endMs = (index + 1) * stepMs;
    for (let fromMs = index * stepMs; fromMs < endMs; ) {
      const minute = Math.floor(fromMs / minuteMs);
      const toMs = Math.min(endMs, (minute + 1) * minuteMs);
      if (minute < minutes) {
        sums[minute] = (sums[minute] as number) + rate * (toMs - fromMs);
        coveredMs[minute] = (coveredMs[minute] as number) + toMs - fromMs;
      }
      fromMs = toMs;
    }
  }
  let last = 0;
  return Array.from(sums, (sum, minute) => {
    if ((coveredMs[minute] as number) > 0) last = sum / (coveredMs[minute] as number);
    return last;
  });
}

/**
 * Reads a trace as traffic, scaled so that its busiest minute has `peakQps`; null: not scaled.
 * @param days limits it to the first days; null: all.
 * @throws UsageError when the file can't be read or parsed, or holds no traffic.
 */
export async function readTraffic(
  path: string,
  peakQps: number | null,
  days: number | null,
): Promise<BacktestTraffic & { name: string }> {
  return trafficOf(parseTrace(await readTraceText(path), basename(path)), peakQps, days);
}

/** Converts a trace as {@link readTraffic} does. */
export function trafficOf(
  trace: Trace,
  peakQps: number | null,
  days: number | null,
): BacktestTraffic & { name: string } {
  const { name } = trace;
  const all = ratesByMinute(trace);
  const rates = days === null ? all : all.slice(0, Math.round(days * 1440));
  const peak = rates.reduce((highest, rate) => Math.max(highest, rate), 0);
  if (peak === 0) throw new UsageError(`${name}: expected some traffic, got none`);
  const factor = peakQps === null ? 1 : peakQps / peak;
  return {
    name,
    startMs: trace.startMs,
    rates: rates.map((rate) => rate * factor),
    calendar: createCalendar("UTC", []),
  };
}
