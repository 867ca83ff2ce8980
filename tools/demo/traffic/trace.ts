import type { Trace as RecordedTrace } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

/** A request-rate trace cut into minutes. */
export interface Trace {
  readonly startMs: number;
  /** Requests in each minute from `startMs` on; null where the trace has no observation. */
  readonly minutes: readonly (number | null)[];
}

/**
 * A trace of any step, cut into minutes: steps longer than a minute are spread evenly over their minutes, shorter ones are added up.
 */
export function cutIntoMinutes(recorded: RecordedTrace): Trace {
  const { stepMs, counts } = recorded;
  const startMs = Math.floor(recorded.startMs / minuteMs) * minuteMs;
  const endMs = recorded.startMs + counts.length * stepMs;
  const minutes: (number | null)[] = new Array(Math.ceil((endMs - startMs) / minuteMs)).fill(null);
  for (const [step, count] of counts.entries()) {
    if (count === null) continue;
    const untilMs = recorded.startMs + (step + 1) * stepMs;
    for (let fromMs = untilMs - stepMs; fromMs < untilMs; ) {
      const index = Math.floor((fromMs - startMs) / minuteMs);
      const toMs = Math.min(untilMs, startMs + (index + 1) * minuteMs);
      minutes[index] = (minutes[index] ?? 0) + (count * (toMs - fromMs)) / stepMs;
      fromMs = toMs;
    }
  }
  return { startMs, minutes };
}

/**
 * The requests of the minute that holds `atMs`. A minute without observation has what the last observed one had. After its end the
 * trace repeats, shifted by whole weeks (or days, when it is shorter than a week), so that weekdays and hours still fit.
 */
export function requestsInMinute(trace: Trace, atMs: number): number {
  const length = trace.minutes.length;
  const periods = [7 * dayMs, dayMs, minuteMs].map((unitMs) => Math.floor((length * minuteMs) / unitMs) * unitMs);
  const repeatMinutes = (periods.find((periodMs) => periodMs > 0) ?? minuteMs) / minuteMs;
  let index = Math.floor((atMs - trace.startMs) / minuteMs);
  if (index < 0) index += Math.ceil(-index / repeatMinutes) * repeatMinutes;
  if (index >= length) index -= Math.ceil((index - length + 1) / repeatMinutes) * repeatMinutes;
  for (let back = index; back >= 0; back -= 1) {
    const requests = trace.minutes[back];
    if (requests !== null && requests !== undefined) return requests;
  }
  return 0;
}

/** The requests of `count` minutes from `fromMs` on. */
export function requestsPerMinute(trace: Trace, fromMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => requestsInMinute(trace, fromMs + index * minuteMs));
}

/**
 * The day to replay when none is asked for: the last complete weekday (UTC) of the trace's last 15 %, which the forecast model
 * was not trained on; without one, the last complete day; without that, the trace's start.
 */
export function defaultDayMs(trace: Trace): number {
  const heldOutFromMs = trace.startMs + Math.floor(trace.minutes.length * 0.85) * minuteMs;
  const endMs = trace.startMs + trace.minutes.length * minuteMs;
  const days: number[] = [];
  for (let dayStartMs = Math.floor(endMs / dayMs - 1) * dayMs; dayStartMs >= trace.startMs; dayStartMs -= dayMs) {
    days.push(dayStartMs);
  }
  const isWeekday = (atMs: number) => ![0, 6].includes(new Date(atMs).getUTCDay());
  return days.find((atMs) => atMs >= heldOutFromMs && isWeekday(atMs)) ?? days[0] ?? trace.startMs;
}

/** @throws UsageError when `day` is no date or the trace does not cover its start. */
export function dayStartMs(trace: Trace, day: string): number {
  const atMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  const endMs = trace.startMs + trace.minutes.length * minuteMs;
  if (!(atMs >= trace.startMs && atMs < endMs)) {
    const shown = (ms: number) => new Date(ms).toISOString().slice(0, 16);
    throw new UsageError(
      `--day: expected a date (YYYY-MM-DD) within the trace, ${shown(trace.startMs)} to ${shown(endMs)} UTC, got "${day}"`,
    );
  }
  return atMs;
}
