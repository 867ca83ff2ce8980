const pattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?$/i;

/** Returns the time in UTC, ms; null for a day or an hour that does not exist, such as 30 February or 25:00. */
export function calendarTimeMs(
  ...[year, month, day, hour = 0, minute = 0, second = 0, ms = 0]: readonly number[]
): number | null {
  const time = new Date(Date.UTC(year as number, (month as number) - 1, day, hour, minute, second, ms));
  const same =
    time.getUTCFullYear() === year &&
    time.getUTCMonth() + 1 === month &&
    time.getUTCDate() === day &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  return same ? time.getTime() : null;
}

/** Returns the offset of a zone such as +02:00 or +02; null for one that no place on earth has. */
function offsetMs(zone: string): number | null {
  if (/^(Z|UTC)$/i.test(zone)) return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(":", ""))];
  if (hours > 14 || minutes > 59) return null;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/**
 * Parses a time or a day of ISO 8601, strictly: `Date.parse` takes 30 February for 2 March. A time without a zone is read as UTC.
 * Returns null for any other text.
 */
export function parseIsoTime(text: string): { readonly atMs: number; readonly hasZone: boolean } | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  const ms = Math.floor(Number(`0.${fraction}0`) * 1000);
  const utcMs = calendarTimeMs(...[year, month, day, hour ?? 0, minute ?? 0, second ?? 0].map(Number), ms);
  const shiftMs = offsetMs(zone ?? "Z");
  if (utcMs === null || shiftMs === null) return null;
  return { atMs: utcMs - shiftMs, hasZone: zone !== undefined };
}

/** Parses a time with a zone, or a day (its start in UTC). Returns null for a text that is neither. */
export function parseTime(text: string): number | null {
  const time = parseIsoTime(text);
  return time === null || !(time.hasZone || /^\d{4}-\d\d-\d\d$/.test(text)) ? null : time.atMs;
}
