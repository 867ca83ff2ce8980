import { hourMs } from "../time.ts";

/** Kinds of periods of the calendar. */
export type PeriodKind = "day" | "month";

/** Day or month of the calendar in a time zone. */
export interface CalendarPeriod {
  /** `2026-11-30` or `2026-11`; later ones compare greater. */
  readonly name: string;
  readonly startMs: number;
  /** Start of the next one. */
  readonly endMs: number;
}

/** Tells if a text names a time zone, like Europe/Berlin. */
export function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** Longest time that a period lasts: a day may be repeated in part, and more, when clocks or zones change. */
const longestHours = { day: 50, month: 33 * 24 } as const;

function nameAt(format: Intl.DateTimeFormat, kind: PeriodKind, atMs: number): string {
  const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const month = `${parts["year"]?.padStart(4, "0")}-${parts["month"]}`;
  return kind === "month" ? month : `${month}-${parts["day"]}`;
}

/** First millisecond of (fromMs, toMs] at which something holds that holds from then on. */
function firstMs(fromMs: number, toMs: number, holds: (atMs: number) => boolean): number {
  let before = fromMs;
  let from = toMs;
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    if (holds(middle)) from = middle;
    else before = middle;
  }
  return from;
}

/**
 * Day or month of a moment. Its bounds are found by the zone's own clock, so that a day has 23 or 25 hours where clocks change, and begins at the
 * first moment there is where midnight is skipped.
 * @throws RangeError for an unknown time zone
 */
export function periodOf(kind: PeriodKind, atMs: number, timeZone: string): CalendarPeriod {
  const format = new Intl.DateTimeFormat("en-US-u-ca-iso8601-nu-latn", {
    ...{ timeZone, year: "numeric", month: "2-digit", day: "2-digit" },
  });
  const at = Math.floor(atMs);
  const name = nameAt(format, kind, at);
  const spanMs = longestHours[kind] * hourMs;
  return {
    name,
    startMs: firstMs(at - spanMs, at, (ms) => nameAt(format, kind, ms) >= name),
    endMs: firstMs(at, at + spanMs, (ms) => nameAt(format, kind, ms) > name),
  };
}

/** Periods that are known at a time; the least recently made is dropped. */
const maxKnown = 256;

/** Creates a lookup of the present period that computes each once. */
export function createPeriods(): (kind: PeriodKind, atMs: number, timeZone: string) => CalendarPeriod {
  const known = new Map<string, CalendarPeriod>();
  return (kind, atMs, timeZone) => {
    const key = `${kind} ${timeZone}`;
    const held = known.get(key);
    if (held !== undefined && held.startMs <= atMs && atMs < held.endMs) return held;
    const period = periodOf(kind, atMs, timeZone);
    const oldest = known.size >= maxKnown ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(key, period);
    return period;
  };
}
