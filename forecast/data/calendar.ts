import { offsetOfZone } from "#platform/calendar/zone-offset.ts";
import { dayMs, hourMs } from "#platform/time.ts";

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

/**
 * Creates a calendar in an IANA time zone.
 * @param holidays days as "2026-12-25", in that zone.
 * @throws RangeError when the time zone is unknown.
 */
export function createCalendar(timeZone: string, holidays: readonly string[]): Calendar {
  const offsetAt = offsetOfZone(timeZone);
  const holidayDays = new Set(holidays.map((date) => Date.parse(`${date}T00:00:00Z`) / dayMs));
  return (timeMs) => {
    const localMs = timeMs + offsetAt(timeMs);
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
