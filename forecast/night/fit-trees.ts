import type { Calendar } from "#forecast/data/calendar.ts";
import { holdThroughHoles } from "#forecast/data/hold-through-holes.ts";
import type { Trace } from "#forecast/data/parse-trace.ts";
import { fillGaps, outputMinutes } from "#forecast/data/window-features.ts";
import { RecurringEvents } from "#forecast/events/recurring-events.ts";
import { treesToText } from "#forecast/trees/kept-trees.ts";
import { fitPeakTrees } from "#forecast/trees/peak-trees.ts";
import { dayMs, secondMs } from "#platform/time.ts";

/** Newest part of the record that the trees are fitted to: as much as the forecaster sees. */
const recordMs = 8 * dayMs;

/**
 * Fits the trees to a trace as the forecaster would: holes closed, recurring events taken out. In slices of a few milliseconds.
 * @returns the fit as it is kept; null where there is too little record.
 */
export function* fitTreesToTrace(trace: Trace, calendar: Calendar): Generator<void, string | null, void> {
  const { counts, stepMs, startMs } = trace;
  const rates = counts.map((count) => (count === null ? null : count / (stepMs / secondMs)));
  const newest = rates.slice(-Math.round(recordMs / stepMs));
  const { held } = holdThroughHoles(newest, stepMs);
  const first = held.findIndex((qps) => qps !== null);
  if (first === -1) return null;
  const endMs = startMs + counts.length * stepMs;
  const recorded = { qps: fillGaps(held.slice(first)), stepMs, endMs, calendar };
  const events = new RecurringEvents();
  yield* events.learn(recorded);
  const fit = yield* fitPeakTrees(events.without(recorded), outputMinutes, null);
  return fit === null ? null : treesToText(fit);
}
