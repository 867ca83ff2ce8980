import { parseTrace, type Trace as RecordedTrace } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";
import { readCarriedText } from "#platform/files/carried-file.ts";
import { parseTime } from "#platform/parse-time.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import nasaPath from "../../../models/traffic-lstm/nasa_http_jul95_1min.csv" with { type: "file" };

/** Request-rate trace in minutes. */
export interface Trace {
  readonly startMs: number;
  /** Requests in each minute from `startMs`; null where the trace has no observation. */
  readonly minutes: readonly (number | null)[];
}

/**
 * Converts a trace of any step into minutes: spreads longer steps evenly over their minutes and adds up shorter ones.
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

/** Cuts a trace into minutes; null: the built-in one. */
export async function loadTrace(
  recorded: RecordedTrace | null,
): Promise<{ readonly name: string; readonly trace: Trace }> {
  const builtIn = "NASA Kennedy web server, July 1995";
  const trace = recorded ?? parseTrace(await readCarriedText(nasaPath), builtIn);
  return { name: trace.name, trace: cutIntoMinutes(trace) };
}

/**
 * Requests of the minute that contains `atMs`. A minute without observation has the requests of the last observed one. After its end the trace
 * repeats, shifted by whole weeks (or days if it is shorter than a week), so that weekdays and hours match.
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

export function requestsPerMinute(trace: Trace, fromMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => requestsInMinute(trace, fromMs + index * minuteMs));
}

/**
 * Default day to replay: the last complete weekday (UTC) in the trace's last 15 %, which the forecast model was not trained on; without one, the last
 * complete day; else the trace's start.
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

/** Start of a day. @throws UsageError when `day` is not a date or the trace does not cover its start */
export function dayStartMs(trace: Trace, day: string): number {
  const atMs = (/^\d{4}-\d{2}-\d{2}$/.test(day) ? parseTime(day) : null) ?? Number.NaN;
  const endMs = trace.startMs + trace.minutes.length * minuteMs;
  if (!(atMs >= trace.startMs && atMs < endMs)) {
    const shown = (ms: number) => new Date(ms).toISOString().slice(0, 16);
    throw new UsageError(
      `--day: expected a date (YYYY-MM-DD) within the trace, ${shown(trace.startMs)} to ${shown(endMs)} UTC, got "${day}"`,
    );
  }
  return atMs;
}
