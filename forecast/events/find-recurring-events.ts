import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

/** Short rise that comes at the same time of the day, as of a job at 00:01. */
export interface RecurringEvent {
  /** Start of the step, since midnight UTC. */
  readonly timeOfDayMs: number;
  readonly days: "all" | "weekdays" | "weekends";
  /** Quantiles 0.5, 0.9 and 0.95 of the rate beyond the usual one at that time, requests per second. */
  readonly excess: readonly [number, number, number];
}

/** Newest days considered, and the minimum of them. */
const maxDays = 7;
const minDays = 3;
/** Share of these days on which the rise must have come. */
const minShare = 0.8;
/** Rates are compared with the medians of so much time before and after, of at least so many steps on each side. */
const reachMs = 30 * minuteMs;
const minReachSteps = 3;
/** A rise is beyond a share of the usual rate, the usual distance from it this many times over, and the noise of counting. */
const minRise = 0.3;
const noiseFactor = 4;
const countingDeviations = 3;
/** Steps compared between two yields: a few milliseconds. */
const stepsPerSlice = 1_000;
const slotsPerSlice = 200;

const reachOf = (stepMs: number) => Math.max(minReachSteps, Math.round(reachMs / stepMs));

function medianBetween(qps: readonly number[], from: number, to: number): number {
  const sorted = Float64Array.from(qps.slice(Math.max(0, from), to)).sort();
  return sorted[sorted.length >> 1] ?? 0;
}

/** Median of the rates around a step, itself among them: a short rise does not change it. */
export function usualRate({ qps, stepMs }: Pick<RateHistory, "qps" | "stepMs">, index: number): number {
  const reach = reachOf(stepMs);
  return medianBetween(qps, index - reach, index + reach + 1);
}

/** Higher one of the medians before and after a step: a short rise stands above both, the begin of a busy day only above one. */
function rateBeside({ qps, stepMs }: RateHistory, index: number): number {
  const reach = reachOf(stepMs);
  return Math.max(medianBetween(qps, index - reach, index), medianBetween(qps, index + 1, index + reach + 1));
}

/**
 * Finds the rises that came at the same step of the day on at least four of five days: on all, on weekdays, or on weekends. Yields every few
 * milliseconds.
 */
export function* findRecurringEvents(history: RateHistory): Generator<void, RecurringEvent[], void> {
  const { qps, stepMs } = history;
  const perDay = dayMs / stepMs;
  if (!Number.isInteger(perDay) || qps.length < minDays * perDay) return [];
  const beside = new Float64Array(qps.length);
  for (const index of beside.keys()) {
    beside[index] = rateBeside(history, index);
    if (index % stepsPerSlice === stepsPerSlice - 1) yield;
  }
  const compared = { history, beside, threshold: thresholdOf(history, beside) };
  const events: RecurringEvent[] = [];
  for (let slot = 0; slot < perDay; slot += 1) {
    const event = eventAt(compared, slot, perDay);
    if (event !== null) events.push(event);
    if (slot % slotsPerSlice === slotsPerSlice - 1) yield;
  }
  return events;
}

interface ComparedRates {
  readonly history: RateHistory;
  /** Rates beside each step. */
  readonly beside: Float64Array;
  /** Excess from which on a step counts as a rise. */
  readonly threshold: (index: number) => number;
}

/** Returns the event at the step of the day that the record's newest step is `slot` steps after; null without one. */
function eventAt({ history, beside, threshold }: ComparedRates, slot: number, perDay: number): RecurringEvent | null {
  const { qps, stepMs, endMs, calendar } = history;
  const timeOf = (index: number) => endMs - (qps.length - index) * stepMs;
  const isFree = (index: number) => {
    const { weekend, holiday } = calendar(timeOf(index));
    return weekend || holiday;
  };
  const rises = (index: number) => (qps[index] as number) - (beside[index] as number) > threshold(index);
  const excessOf = (index: number) => (qps[index] as number) - usualRate(history, index);
  const newest = qps.length - 1 - slot;
  const occurrences: number[] = [];
  for (let index = newest; index >= 0; index -= perDay) occurrences.push(index);
  // Most steps never rise, and need no calendar.
  if (occurrences.filter(rises).length < minDays * minShare) return null;
  const groups = {
    all: occurrences,
    weekdays: occurrences.filter((index) => !isFree(index)),
    weekends: occurrences.filter(isFree),
  };
  for (const days of ["all", "weekdays", "weekends"] as const) {
    const own = groups[days].slice(0, maxDays);
    const rising = own.filter(rises);
    if (own.length < minDays || rising.length < minShare * own.length) continue;
    return {
      timeOfDayMs: ((timeOf(newest) % dayMs) + dayMs) % dayMs,
      days,
      excess: quantilesOf(rising.map(excessOf)),
    };
  }
  return null;
}

/** Returns the excess from which on a step counts as a rise. */
function thresholdOf({ qps, stepMs }: RateHistory, beside: Float64Array): (index: number) => number {
  const distances = qps.flatMap((rate, index) => {
    const own = beside[index] as number;
    return own > 0 ? [Math.abs(rate - own) / own] : [];
  });
  const sorted = Float64Array.from(distances).sort();
  const relative = Math.max(minRise, noiseFactor * (sorted[sorted.length >> 1] ?? 0));
  const stepS = stepMs / 1000;
  return (index) => {
    const own = beside[index] as number;
    return Math.max(relative * own, (countingDeviations * Math.sqrt(Math.max(1, own * stepS))) / stepS);
  };
}

/** Quantiles as split conformal prediction defines them: the highest of few values for all but the median. */
function quantilesOf(values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (quantile: number) =>
    sorted[Math.min(sorted.length, Math.ceil((sorted.length + 1) * quantile)) - 1] as number;
  return [at(0.5), at(0.9), at(0.95)];
}
