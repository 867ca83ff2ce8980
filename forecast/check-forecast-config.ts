import { isTimeZone } from "#platform/calendar/calendar-period.ts";
import { parseTime } from "#platform/parse-time.ts";
import type { ForecastConfig } from "./forecast-config.ts";

/** Tells if a text is a day of the calendar, like 2026-12-25; 2026-02-30 is not. */
export function isDay(day: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(day) && parseTime(day) !== null;
}

/** Checks what the schema of the forecast configuration can't. Returns one line per mistake, path first. */
export function checkForecastConfig({ timeZone, holidays }: Pick<ForecastConfig, "timeZone" | "holidays">): string[] {
  return [
    ...(isTimeZone(timeZone) ? [] : [`timeZone: expected a time zone like Europe/Berlin, got "${timeZone}"`]),
    ...holidays.flatMap((day, index) =>
      isDay(day) ? [] : [`holidays.${index}: expected a day like 2026-12-25, got "${day}"`],
    ),
  ];
}
