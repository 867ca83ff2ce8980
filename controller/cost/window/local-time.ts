import { type OffsetAt, offsetOfZone } from "#platform/calendar/zone-offset.ts";
import { dayMs } from "#platform/time.ts";

const fixedOffset = /^([+-])(\d\d):(\d\d)$/;
const maxOffsetMs = 14 * 3_600_000;

/** Reads a zone: "" or UTC, ±HH:MM, or a name of the IANA database with a slash; null for any other text. */
export function readZone(zone: string): OffsetAt | null {
  if (zone === "" || zone === "UTC") return () => 0;
  const [, sign, hours, minutes] = fixedOffset.exec(zone) ?? [];
  if (sign !== undefined) {
    const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
    if (Number(minutes) > 59 || offsetMs > maxOffsetMs) return null;
    return () => (sign === "-" ? -offsetMs : offsetMs);
  }
  if (!zone.includes("/")) return null;
  try {
    return offsetOfZone(zone);
  } catch {
    return null;
  }
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
