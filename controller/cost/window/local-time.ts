import { dayMs } from "#platform/time.ts";

/** Offset of local time from UTC at a moment, ms. */
export type OffsetAt = (timeMs: number) => number;

const fixedOffset = /^([+-])(\d\d):(\d\d)$/;
const maxOffsetMs = 14 * 3_600_000;
const quarterHourMs = 15 * 60_000;
const maxCachedQuarters = 8192;

function offsetOfZone(timeZone: string): OffsetAt | null {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      ...{ timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    });
  } catch {
    return null;
  }
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

/** Reads a zone: "" or UTC, ±HH:MM, or a name of the IANA database with a slash; null for any other text. */
export function readZone(zone: string): OffsetAt | null {
  if (zone === "" || zone === "UTC") return () => 0;
  const [, sign, hours, minutes] = fixedOffset.exec(zone) ?? [];
  if (sign !== undefined) {
    const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
    if (Number(minutes) > 59 || offsetMs > maxOffsetMs) return null;
    return () => (sign === "-" ? -offsetMs : offsetMs);
  }
  return zone.includes("/") ? offsetOfZone(zone) : null;
}

/** Local day at a moment: days since 1 January 1970. */
export function localDay(timeMs: number, offsetAt: OffsetAt): number {
  return Math.floor((timeMs + offsetAt(timeMs)) / dayMs);
}

/** Moment at which a local day begins: midnight, or where the clock skips midnight, the first moment after it. */
export function startOfDay(day: number, offsetAt: OffsetAt): number {
  const localMs = day * dayMs;
  // With the offset before midnight and the one after it: they differ where the clock changes that night.
  const [early, late] = [localMs - offsetAt(localMs - dayMs), localMs - offsetAt(localMs + dayMs)].sort(
    (a, b) => a - b,
  );
  const isMidnight = (timeMs: number) => timeMs + offsetAt(timeMs) === localMs;
  return [early, late].find((each) => isMidnight(each as number)) ?? (late as number);
}
