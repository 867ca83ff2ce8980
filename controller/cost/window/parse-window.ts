import { calendarTimeMs } from "#platform/parse-time.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { localDay, readZone, startOfDay } from "./local-time.ts";

export interface TimeWindow {
  readonly startMs: number;
  readonly endMs: number;
}

/** Mistake in a window or its zone. */
export interface WindowFault {
  readonly field: "window" | "utcOffset";
  readonly expected: string;
}

export const windowForms =
  "15m, 24h, 7d, 2w, 24h offset 7d, today, yesterday, week, lastweek, month, lastmonth, " +
  "or start,end in unix seconds, in milliseconds or as 2026-11-01T00:00:00Z";

const unitMs: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs };
const words = ["today", "yesterday", "week", "lastweek", "month", "lastmonth"] as const;
const span = "[0-9]{1,6}[mhdw]";
const moment = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z";
const number = "[0-9]{1,16}";

/** Pattern of all texts that may be a window; some, such as 30 February, are none. */
export const windowPattern = `^(${words.join("|")}|${span}( offset ${span})?|${number}[,|-]${number}|${moment},${moment})$`;

/** The first number that is read as milliseconds: in seconds the year 5138, in milliseconds March 1973. */
const firstMs = 100_000_000_000;
/** The last moment that a calendar has. */
const lastMs = 8_640_000_000_000_000;

const fault = (expected = windowForms): WindowFault => ({ field: "window", expected });

function lengthMs(text: string): number {
  return Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] as number);
}

/** Window up to the end of the present minute, hour or day in UTC; of weeks up to the end of today. */
function lastUnits(text: string, nowMs: number): TimeWindow {
  const unit = text.endsWith("w") ? dayMs : (unitMs[text.slice(-1)] as number);
  const endMs = (Math.floor(nowMs / unit) + 1) * unit;
  return { startMs: endMs - lengthMs(text), endMs };
}

function offsetSpan(length: string, back: string, nowMs: number): TimeWindow {
  const endMs = nowMs - lengthMs(back);
  return { startMs: endMs - lengthMs(length), endMs };
}

/** Window of two numbers of one unit: a number of seconds is never read as milliseconds. */
function numberPair(texts: readonly string[]): TimeWindow | WindowFault {
  const [start = 0, end = 0] = texts.map(Number);
  const units = new Set([start, end].filter((each) => each > 0).map((each) => (each < firstMs ? 1000 : 1)));
  if (units.size > 1)
    return fault(`both times in unix seconds (up to ${firstMs - 1}) or both in milliseconds (from ${firstMs} on)`);
  const factor = units.has(1000) ? 1000 : 1;
  if (Math.max(start, end) * factor > lastMs) return fault(`times up to ${lastMs} ms`);
  return { startMs: start * factor, endMs: end * factor };
}

function momentPair(texts: readonly string[]): TimeWindow | WindowFault {
  const times = texts.map((each) => calendarTimeMs(...(each.match(/\d+/g) ?? []).map(Number)));
  const [startMs, endMs] = times;
  if (startMs === null || endMs === null || startMs === undefined || endMs === undefined)
    return fault("a day and a time that exist");
  return { startMs, endMs };
}

/** Days of the local calendar around a moment. */
function namedWindow(name: (typeof words)[number], nowMs: number, offsetAt: (timeMs: number) => number): TimeWindow {
  const today = localDay(nowMs, offsetAt);
  const at = (day: number) => startOfDay(day, offsetAt);
  // Day 0 was a Thursday; weeks begin on Sunday.
  const sunday = today - ((today + 4) % 7);
  const date = new Date(today * dayMs);
  const firstOfMonth = (months: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / dayMs;
  switch (name) {
    case "today":
      return { startMs: at(today), endMs: at(today + 1) };
    case "yesterday":
      return { startMs: at(today - 1), endMs: at(today) };
    case "week":
      return { startMs: at(sunday), endMs: nowMs };
    case "lastweek":
      return { startMs: at(sunday - 7), endMs: at(sunday) };
    case "month":
      return { startMs: at(firstOfMonth(0)), endMs: nowMs };
    case "lastmonth":
      return { startMs: at(firstOfMonth(-1)), endMs: at(firstOfMonth(0)) };
    default:
      return name satisfies never;
  }
}

/**
 * Parses a window in OpenCost's forms. Named days, weeks and months are local: `zone` is "" or UTC, ±HH:MM, or an IANA name; the other forms
 * are in UTC whatever the zone. A window may be empty or end before it starts: that is for the query to refuse.
 */
export function parseWindow(text: string, nowMs: number, zone = ""): TimeWindow | WindowFault {
  const offsetAt = readZone(zone);
  if (offsetAt === null) return { field: "utcOffset", expected: "UTC, ±HH:MM or a time zone like Europe/Berlin" };
  const name = words.find((each) => each === text);
  if (name !== undefined) return namedWindow(name, nowMs, offsetAt);
  if (!new RegExp(windowPattern).test(text)) return fault();
  if (text.includes("T")) return momentPair(text.split(","));
  const [length, back] = text.split(" offset ");
  if (back !== undefined) return offsetSpan(length as string, back, nowMs);
  return /[mhdw]$/.test(text) ? lastUnits(text, nowMs) : numberPair(text.split(/[,|-]/));
}

/** Parses the window of a query: with some length, begun, and not before 1970. */
export function parseQueryWindow(text: string, nowMs: number, zone = ""): TimeWindow | WindowFault {
  const window = parseWindow(text, nowMs, zone);
  if ("expected" in window) return window;
  const { startMs, endMs } = window;
  if (startMs >= endMs) return fault("a start before the end");
  if (startMs < 0) return fault("a start from 1970 on");
  return startMs > nowMs ? fault("a start that is not in the future") : window;
}
