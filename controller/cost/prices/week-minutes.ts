import { days, type Tariff } from "./catalogue.ts";

export const minutesOfDay = 1440;
export const minutesOfWeek = 7 * minutesOfDay;

const minuteOf = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Minutes of the week, from Monday 0:00, on which hours of a tariff hold. */
export function* minutesOf({ days: on, from, until }: Tariff["hours"][number]): Generator<number> {
  const [start, end] = [minuteOf(from), minuteOf(until)];
  const length = end > start ? end - start : end + minutesOfDay - start;
  for (const day of new Set(on)) {
    const first = days.indexOf(day) * minutesOfDay + start;
    for (let minute = first; minute < first + length; minute += 1) yield minute % minutesOfWeek;
  }
}
