import { minuteMs } from "../time.ts";

/** Offset of local time from UTC at a moment, ms. */
export type OffsetAt = (timeMs: number) => number;

const quarterHourMs = 15 * minuteMs;
/** Size of the cache, about a quarter of a year; then it is cleared. */
const maxCachedQuarters = 8_192;

/**
 * Reads the offsets of an IANA time zone.
 * @throws RangeError when the time zone is unknown.
 */
export function offsetOfZone(timeZone: string): OffsetAt {
  const format = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric" },
    ...{ hour: "numeric", minute: "numeric", second: "numeric" },
  });
  // A zone's offset changes at quarter hours only, so one look-up (20 µs) serves fifteen minutes.
  const offsets = new Map<number, number>();
  return (timeMs) => {
    const quarter = Math.floor(timeMs / quarterHourMs);
    const known = offsets.get(quarter);
    if (known !== undefined) return known;
    if (offsets.size >= maxCachedQuarters) offsets.clear();
    const startMs = quarter * quarterHourMs;
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(startMs)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    const offsetMs = Date.UTC(year, month - 1, day, hour, minute, second) - startMs;
    offsets.set(quarter, offsetMs);
    return offsetMs;
  };
}
