import { describe, expect, test } from "bun:test";
import { parseTrace as readTrace } from "#forecast/data/parse-trace.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import {
  cutIntoMinutes,
  dayStartMs,
  defaultDayMs,
  requestsInMinute,
  requestsPerMinute,
} from "#tools/demo/traffic/trace.ts";

const at = (text: string) => Date.parse(text);

function csvOf(startMs: number, intervalMs: number, values: readonly number[]): string {
  const rows = values.map((value, index) => `${new Date(startMs + index * intervalMs).toISOString()},${value}`);
  return `timestamp,value\n${rows.join("\n")}\n`;
}

const parseTrace = (csv: string, source: string) => cutIntoMinutes(readTrace(csv, source));

describe("cutIntoMinutes", () => {
  const start = at("2020-01-01T00:00:00Z");
  test.each([
    { name: "one-minute rows stand as they are", intervalMs: minuteMs, values: [1, 0, 3], expected: [1, 0, 3] },
    {
      name: "longer intervals are spread over their minutes",
      intervalMs: 5 * minuteMs,
      values: [10, 5],
      expected: [2, 2, 2, 2, 2, 1, 1, 1, 1, 1],
    },
    { name: "seconds are added up", intervalMs: 30_000, values: [1, 2, 3, 4], expected: [3, 7] },
    { name: "intervals that straddle a minute are split", intervalMs: 40_000, values: [4, 4, 4], expected: [6, 6] },
  ])("$name", ({ intervalMs, values, expected }) => {
    const trace = parseTrace(csvOf(start, intervalMs, values), "test");
    expect(trace.startMs).toBe(start);
    expect(trace.minutes.map((value) => Math.round((value ?? -1) * 1000) / 1000)).toEqual([...expected]);
  });

  test("a missing row is a minute without observation, not zero", () => {
    const trace = parseTrace(
      "timestamp,value\n2020-01-01T00:00:00Z,4\n2020-01-01T00:01:00Z,5\n2020-01-01T00:03:00Z,6\n2020-01-01T00:04:00Z,6\n",
      "test",
    );
    expect(trace.minutes).toEqual([4, 5, null, 6, 6]);
    expect(requestsInMinute(trace, start + 2 * minuteMs)).toBe(5);
  });
});

describe("requestsInMinute", () => {
  const start = at("2020-01-06T00:00:00Z");
  const values = Array.from({ length: 8 * 1440 }, (_, minute) => minute);
  const trace = parseTrace(csvOf(start, minuteMs, values), "test");
  test.each([
    { name: "first minute", offsetMinutes: 0, expected: 0 },
    { name: "last minute", offsetMinutes: 8 * 1440 - 1, expected: 8 * 1440 - 1 },
    { name: "after the end: the same time a week before", offsetMinutes: 8 * 1440, expected: 1440 },
    { name: "many weeks after", offsetMinutes: 8 * 1440 + 70 * 1440, expected: 1440 },
    { name: "before the start: the same time a week later", offsetMinutes: -1, expected: 7 * 1440 - 1 },
  ])("$name", ({ offsetMinutes, expected }) => {
    expect(requestsInMinute(trace, start + offsetMinutes * minuteMs)).toBe(expected);
  });

  test("a trace shorter than a day repeats as a whole", () => {
    const short = parseTrace(csvOf(start, minuteMs, [1, 2, 3]), "test");
    expect(requestsPerMinute(short, start, 7)).toEqual([1, 2, 3, 1, 2, 3, 1]);
  });
});

describe("which day is replayed", () => {
  const days = (count: number, start: string) =>
    parseTrace(csvOf(at(start), 10 * minuteMs, new Array(count * 144).fill(1)), "test");
  test("the last complete weekday of the held-out part", () => {
    // 28 days from Wednesday the 1st: the last 15 % begin on the 24th; the 27th and 28th are a Monday and a Tuesday.
    expect(defaultDayMs(days(28, "2020-01-01T00:00:00Z"))).toBe(at("2020-01-28T00:00:00Z"));
    expect(defaultDayMs(days(26, "2020-01-01T00:00:00Z"))).toBe(at("2020-01-24T00:00:00Z"));
  });
  test("without a weekday there, the last complete day", () => {
    expect(defaultDayMs(days(4, "2020-01-01T00:00:00Z"))).toBe(at("2020-01-04T00:00:00Z"));
  });
  test("without a complete day, the trace's start", () => {
    expect(defaultDayMs(parseTrace(csvOf(at("2020-01-01T05:00:00Z"), minuteMs, [1, 2, 3]), "test"))).toBe(
      at("2020-01-01T05:00:00Z"),
    );
  });
  test.each(["", "tomorrow", "1999-01-01", "2020-02-30"])("--day %p is refused", (day) => {
    expect(() => dayStartMs(days(4, "2020-01-01T00:00:00Z"), day)).toThrow("--day");
  });
  test("--day names a day of the trace", () => {
    expect(dayStartMs(days(4, "2020-01-01T00:00:00Z"), "2020-01-02")).toBe(at("2020-01-01T00:00:00Z") + dayMs);
  });
});
