import type { ForecastConfig } from "./forecast-config.ts";

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** Whether a text of the form 2026-12-25 is a day of the calendar: 2026-02-30 is none. */
function isDay(day: string): boolean {
  const time = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}

/** What the schema can't say of the forecast's configuration. One line a mistake, path first. */
export function checkForecastConfig({ timeZone, holidays }: Pick<ForecastConfig, "timeZone" | "holidays">): string[] {
  return [
    ...(isTimeZone(timeZone) ? [] : [`timeZone: expected a time zone like Europe/Berlin, got "${timeZone}"`]),
    ...holidays.flatMap((day, index) =>
      isDay(day) ? [] : [`holidays.${index}: expected a day like 2026-12-25, got "${day}"`],
    ),
  ];
}
