import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

/** Local time and calendar at a moment. */
export interface CalendarMoment {
  /** 0 ≤ hour < 24, with the minutes as its fraction. */
  readonly hour: number;
  /** 0 = Monday … 6 = Sunday. */
  readonly dayOfWeek: number;
  readonly weekend: boolean;
  readonly holiday: boolean;
}

export type Calendar = (timeMs: number) => CalendarMoment;

const quarterHourMs = 15 * minuteMs;
/** Size of the cache, about a quarter of a year; then it is cleared. */
const maxCachedQuarters = 8_192;

/**
 * Creates a calendar in an IANA time zone.
 * @param holidays days as "2026-12-25", in that zone.
 * @throws RangeError when the time zone is unknown.
 */
export function createCalendar(timeZone: string, holidays: readonly string[]): Calendar {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  });
  const holidayDays = new Set(holidays.map((date) => Date.parse(`${date}T00:00:00Z`) / dayMs));
  // A zone's offset changes at quarter hours only, so one look-up (20 µs) serves fifteen minutes.
  const offsets = new Map<number, number>();

  const offsetMs = (quarter: number): number => {
    const known = offsets.get(quarter);
    if (known !== undefined) return known;
    if (offsets.size >= maxCachedQuarters) offsets.clear();
    const startMs = quarter * quarterHourMs;
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(startMs)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
    const offset = Date.UTC(year, month - 1, day, hour, minute) - startMs;
    offsets.set(quarter, offset);
    return offset;
  };

  return (timeMs) => {
    const localMs = timeMs + offsetMs(Math.floor(timeMs / quarterHourMs));
    const day = Math.floor(localMs / dayMs);
    // 1 January 1970 was a Thursday.
    const dayOfWeek = (((day + 3) % 7) + 7) % 7;
    return {
      hour: (localMs - day * dayMs) / hourMs,
      dayOfWeek,
      weekend: dayOfWeek >= 5,
      holiday: holidayDays.has(day),
    };
  };
}
