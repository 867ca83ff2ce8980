import { calendarTimeMs, parseIsoTime } from "#platform/parse-time.ts";

/** Time of a cell; `hasZone` is false for a time on the wall. */
export interface CellTime {
  readonly atMs: number;
  readonly hasZone: boolean;
}
export type TimeReader = (text: string) => CellTime | null;

/** Seconds since 1970 have 9 or 10 digits before the point; milli-, micro- and nanoseconds have 3 more each. */
const epochUnitsMs = { 9: 1000, 10: 1000, 12: 1, 13: 1, 15: 1e-3, 16: 1e-3, 18: 1e-6, 19: 1e-6 } as const;

function epochTime(text: string): CellTime | null {
  const digits = /^(\d{9,19})(\.\d+)?$/.exec(text)?.[1]?.length;
  const unitMs = Object.entries(epochUnitsMs).find(([length]) => Number(length) === digits)?.[1];
  return unitMs === undefined ? null : { atMs: Math.round(Number(text) * unitMs), hasZone: true };
}

const compactPattern = /^((?:19|20)\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?$/;

/** Time of digits alone, 2026010515 (Wikimedia's page views), 202601051530 or 20260105153000. */
export function compactTime(text: string): CellTime | null {
  const fields = compactPattern.exec(text)?.slice(1);
  const atMs = fields === undefined ? null : calendarTimeMs(...fields.map((field) => Number(field ?? 0)));
  return atMs === null ? null : { atMs, hasZone: false };
}

/** Time in ISO 8601, or as CloudWatch and Excel vary it: 2026/01/05 0:00. */
function isoTime(text: string): CellTime | null {
  const [, year, month = "", day = "", rest = ""] = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(.*)$/.exec(text) ?? [];
  if (year === undefined) return null;
  const clock = rest.replace(/^([T ])(\d):/, "$10$2:");
  return parseIsoTime(`${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}${clock}`);
}

const localPattern =
  /^(\d{1,2})([./])(\d{1,2})\2(\d{4}|\d\d)(?:,? (\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?: ?([AP])\.?M\.?)?)?$/i;

/** Reader of days as spreadsheets write them: 5.1.2026 and, by the column, 1/5/2026 or 5/1/26. */
function localTime(isDayFirst: boolean | null): TimeReader {
  return (text) => {
    const [, first, dot, second, year, hour = "0", minute = "0", secondOfMinute = "0", half] =
      localPattern.exec(text) ?? [];
    const dayFirst = dot === "." ? true : isDayFirst;
    if (first === undefined || dayFirst === null) return null;
    const [day, month] = dayFirst ? [first, second] : [second, first];
    const hours = half === undefined ? Number(hour) : (Number(hour) % 12) + (/p/i.test(half) ? 12 : 0);
    const atMs = calendarTimeMs(
      Number(year) + (year?.length === 2 ? 2000 : 0),
      Number(month),
      Number(day),
      hours,
      Number(minute),
      Number(secondOfMinute),
    );
    return atMs === null ? null : { atMs, hasZone: false };
  };
}

/** Tells from a whole column if 5/1/2026 has the day first; null: no row tells. A clock of twelve hours is American. */
function dayComesFirst(cells: readonly string[]): boolean | null {
  const parts = cells.map((cell) => localPattern.exec(cell)).filter((match) => match?.[2] === "/");
  if (parts.some((match) => Number(match?.[1]) > 12)) return true;
  return parts.some((match) => Number(match?.[3]) > 12 || match?.[8] !== undefined) ? false : null;
}

/**
 * Returns the reader of a column's times. Digits alone are a date where the whole column can be one: of seconds or milliseconds since 1970, the
 * next few lines are none.
 */
export function timeReader(cells: readonly string[]): TimeReader {
  const local = localTime(dayComesFirst(cells));
  const digits = cells.filter((cell) => /^\d{10}$|^\d{12}$|^\d{14}$/.test(cell));
  const isCompact = digits.length > 0 && digits.every((cell) => compactTime(cell) !== null);
  return (text) => isoTime(text) ?? (isCompact ? compactTime(text) : null) ?? epochTime(text) ?? local(text);
}

const gapPattern = /^(|-+|nan|null|none|n\/a|na|#n\/a|<na>|undefined|no data)$/i;
const numberPattern = /^([+-]?\d[\d.,'\u00a0\u202f ]*?)(e[+-]?\d+)?[\u00a0\u202f ]*(Mil|Bil|Tri|[KkMGBT])?$/i;
const scales: Readonly<Record<string, number>> = {
  K: 1e3,
  k: 1e3,
  M: 1e6,
  Mil: 1e6,
  G: 1e9,
  B: 1e9,
  Bil: 1e9,
  T: 1e12,
  Tri: 1e12,
};

/**
 * Returns a number of which no cell of the column tells whether it has thousands or decimals, as 1,234; null: there is none.
 * Between commas, a point is always a decimal one.
 */
export function doubtfulNumber(cells: readonly string[], delimiter: string): string | null {
  const marked = cells.filter((cell) => /\d[.,]\d/.test(cell));
  const marks = new Set(marked.map((cell) => /^[+-]?[1-9]\d{0,2}([.,])\d{3}$/.exec(cell)?.[1]));
  const [mark] = marks;
  const isDoubtful = marks.size === 1 && (mark === "," || (mark === "." && delimiter === ";"));
  return isDoubtful ? (marked[0] as string) : null;
}

/** Reads a number; null: a gap; undefined: neither. */
export type NumberReader = (text: string) => number | null | undefined;

/** Returns the reader of a column's numbers, after finding out which mark is its decimal one. */
export function numberReader(cells: readonly string[], delimiter: string): NumberReader {
  const hasCommaDecimals = cells.some((cell) => /\d,(\d{1,2}|\d{4,})(\D|$)|\.\d{3},/.test(cell));
  const hasComma = cells.some((cell) => /\d,\d/.test(cell)) && !cells.some((cell) => /,\d{3}[.,]/.test(cell));
  const decimal = hasCommaDecimals || (hasComma && delimiter !== ",") ? "," : ".";
  const grouped =
    decimal === "," ? /^[+-]?\d{1,3}([.'\u00a0\u202f ]\d{3})+$/ : /^[+-]?\d{1,3}([,'\u00a0\u202f ]\d{3})+$/;
  return (text) => {
    if (gapPattern.test(text)) return null;
    const [, digits, exponent = "", suffix] = numberPattern.exec(text) ?? [];
    const scale = suffix === undefined ? 1 : scales[suffix];
    if (digits === undefined || scale === undefined) return undefined;
    const [whole = "", fraction = "", ...more] = digits.split(decimal);
    const plain = grouped.test(whole) ? whole.replaceAll(/[^\d+-]/g, "") : whole;
    const value = more.length > 0 ? Number.NaN : Number(`${plain}.${fraction}${exponent}`) * scale;
    return Number.isNaN(value) || (fraction === "" && digits.endsWith(decimal)) ? undefined : value;
  };
}
