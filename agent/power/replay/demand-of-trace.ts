import type { Trace } from "#forecast/data/parse-trace.ts";
import { minuteMs } from "#platform/time.ts";

/** Demand on a device, minute by minute, texts per second; null where the trace has a gap. */
export interface MinuteDemand {
  readonly startMs: number;
  readonly qps: readonly (number | null)[];
}

/**
 * Scales a trace to the demand on one board: its busiest minute becomes `peakQps`. Steps longer than a minute are held for as many minutes,
 * shorter ones are averaged; a minute without a record is a gap.
 */
export function demandOfTrace({ startMs, stepMs, counts }: Trace, peakQps: number): MinuteDemand {
  const minutes = Math.max(1, Math.round((counts.length * stepMs) / minuteMs));
  const rates = Array.from({ length: minutes }, (_, minute) => {
    const from = Math.floor((minute * minuteMs) / stepMs);
    const to = Math.max(from + 1, Math.floor(((minute + 1) * minuteMs) / stepMs));
    const known = counts.slice(from, to).filter((count) => count !== null);
    if (known.length === 0) return null;
    return known.reduce((sum, count) => sum + count, 0) / known.length / (stepMs / 1000);
  });
  const peak = rates.reduce<number>((highest, rate) => Math.max(highest, rate ?? 0), 0);
  return { startMs, qps: rates.map((rate) => (rate === null || peak === 0 ? rate : (rate / peak) * peakQps)) };
}
