import type { PeakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { findRecurringEvents, type RecurringEvent, usualRate } from "./find-recurring-events.ts";

/** Time between two searches. */
const refreshMs = 6 * hourMs;

/** Event in the time that is forecast. */
export interface ComingEvent {
  readonly step: number;
  readonly excess: RecurringEvent["excess"];
}

/**
 * Takes short recurring rises out of the record and adds them to the forecasts: averages and regressions would smear a job of a minute over the
 * hours around it, and forget it until the next day.
 */
export class RecurringEvents {
  #events: readonly RecurringEvent[] = [];
  #foundMs = Number.NEGATIVE_INFINITY;

  *learn(history: RateHistory): Generator<void, void, void> {
    const ageMs = history.endMs - this.#foundMs;
    if (ageMs >= 0 && ageMs < refreshMs) return;
    this.#foundMs = history.endMs;
    this.#events = yield* findRecurringEvents(history);
  }

  /** Returns the record as it would be without the events. */
  without(history: RateHistory): RateHistory {
    if (this.#events.length === 0) return history;
    const { qps, stepMs, endMs } = history;
    const startMs = endMs - qps.length * stepMs;
    const cleaned = [...qps];
    for (const event of this.#events) {
      const first = (((event.timeOfDayMs - startMs) % dayMs) + dayMs) % dayMs;
      for (let index = first / stepMs; index < qps.length; index += dayMs / stepMs) {
        if (this.#isDay(event, history, index))
          cleaned[index] = Math.min(qps[index] as number, usualRate(history, index));
      }
    }
    return { ...history, qps: cleaned };
  }

  /** Returns the events in the next `steps` steps. */
  coming(history: RateHistory, steps: number): ComingEvent[] {
    const { stepMs, endMs, qps } = history;
    return this.#events.flatMap((event) => {
      const step = ((((event.timeOfDayMs - endMs) % dayMs) + dayMs) % dayMs) / stepMs;
      return step < steps && this.#isDay(event, history, qps.length + step) ? [{ step, excess: event.excess }] : [];
    });
  }

  #isDay({ days }: RecurringEvent, { calendar, endMs, qps, stepMs }: RateHistory, index: number): boolean {
    if (days === "all") return true;
    const { weekend, holiday } = calendar(endMs - (qps.length - index) * stepMs);
    return (weekend || holiday) === (days === "weekends");
  }
}

/** Adds the events' excess of one quantile to a path. */
export function liftPath(path: readonly number[], events: readonly ComingEvent[], quantile: number): number[] {
  const lifted = [...path];
  for (const { step, excess } of events) lifted[step] = (lifted[step] as number) + (excess[quantile] as number);
  return lifted;
}

/**
 * Raises the quantiles of the peak by the events' traffic on top of the usual rate at their time.
 * @param usual median path without the events.
 */
export function liftPeak(peak: PeakQuantiles, usual: readonly number[], events: readonly ComingEvent[]): PeakQuantiles {
  const at = (which: 0 | 1 | 2) =>
    Math.max(peak[which], ...events.map(({ step, excess }) => (usual[step] ?? 0) + excess[which]));
  return [at(0), at(1), at(2)];
}
