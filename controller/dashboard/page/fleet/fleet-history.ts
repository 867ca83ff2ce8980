import type { FleetHistoryView } from "../../history-routes.ts";
import type { LiveFleet } from "../fleet-state.ts";

const minuteMs = 60_000;

/** Times and values of the traffic chart: what was, and what is forecast. */
export interface TrafficLines {
  readonly times: readonly number[];
  readonly rate: readonly (number | null)[];
  readonly capacity: readonly (number | null)[];
  readonly median: readonly (number | null)[];
  /** Edges of the band: from the median to the 0.95 quantile, of each minute or, where the forecast has no more, of its peak. */
  readonly lower: readonly (number | null)[];
  readonly upper: readonly (number | null)[];
  readonly bandIsOfPeak: boolean;
}

type Column = readonly (number | null)[];

/** Joins the record, the past figures and the forecast on one axis of minutes; minutes without a record are gaps. */
export function joinTraffic(
  history: FleetHistoryView | null,
  forecast: LiveFleet["forecast"],
  capacityNow: number | null,
): TrafficLines {
  const at = new Map<
    number,
    { rate?: number; capacity?: number | null; median?: number; lower?: number; upper?: number }
  >();
  const of = (ms: number) => {
    const known = at.get(ms) ?? {};
    at.set(ms, known);
    return known;
  };
  const { traffic, minutes = [], figures } = history ?? {};
  for (const [index, ms] of (traffic?.minutes ?? []).entries()) {
    const rate = traffic?.textsPerS[index];
    if (rate !== undefined) of(ms).rate = rate;
  }
  for (const [index, ms] of minutes.entries()) of(ms).capacity = figures?.capacityTextsPerS[index] ?? null;
  const lastMs = traffic?.minutes.at(-1);
  if (lastMs !== undefined) of(lastMs).capacity ??= capacityNow;
  if (forecast !== null) {
    const { madeAtMs, stepMs, qps, qps95, peakQps } = forecast;
    const firstMs = Math.floor(madeAtMs / minuteMs) * minuteMs;
    for (const [index, rate] of qps.entries()) {
      const cell = of(firstMs + index * stepMs);
      cell.median = rate;
      const [lower, upper] = qps95 === undefined ? [peakQps?.q50, peakQps?.q95] : [rate, qps95[index]];
      if (lower !== undefined && upper !== undefined) Object.assign(cell, { lower, upper });
      if (capacityNow !== null) cell.capacity ??= capacityNow;
    }
  }
  const times = [...at.keys()].sort((a, b) => a - b);
  // A gap in the record is a gap in the lines.
  const filled = times.flatMap((ms, index) => {
    const next = times[index + 1];
    return next !== undefined && next - ms > 2 * minuteMs ? [ms, ms + minuteMs] : [ms];
  });
  const column = (name: "rate" | "capacity" | "median" | "lower" | "upper"): Column =>
    filled.map((ms) => at.get(ms)?.[name] ?? null);
  return {
    times: filled,
    rate: column("rate"),
    capacity: column("capacity"),
    median: column("median"),
    lower: column("lower"),
    upper: column("upper"),
    bandIsOfPeak: forecast !== null && forecast.qps95 === undefined,
  };
}

/** Sums the requests that were refused or failed, by minute; null where nothing is known. */
export function refusedOf(figures: FleetHistoryView["figures"]): Column {
  const parts = [
    figures.refusedQueuePerS,
    figures.refusedDeadlinePerS,
    figures.refusedErrorPerS,
    figures.refusedRateLimitPerS,
  ];
  return figures.serving.map((_, index) => {
    const known = parts.map((part) => part[index] ?? null).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
  });
}

/** Highest value that is known; null: none is. */
export function highest(column: Column): number | null {
  const known = column.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
