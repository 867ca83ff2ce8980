import { describe, expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import {
  featuresPerWindow,
  fillGaps,
  fromOutput,
  inputMinutes,
  scaleOf,
  toTarget,
  writeFeatures,
} from "#forecast/data/window-features.ts";

describe("calendar", () => {
  const holidays = ["2026-12-25", "1969-12-31"];
  test.each([
    {
      name: "Monday",
      zone: "UTC",
      at: "2026-01-05T06:30:00Z",
      hour: 6.5,
      dayOfWeek: 0,
      weekend: false,
      holiday: false,
    },
    {
      name: "Friday night",
      zone: "UTC",
      at: "2026-01-09T23:59:00Z",
      hour: 23 + 59 / 60,
      dayOfWeek: 4,
      weekend: false,
      holiday: false,
    },
    { name: "Sunday", zone: "UTC", at: "2026-01-11T00:00:00Z", hour: 0, dayOfWeek: 6, weekend: true, holiday: false },
    {
      name: "already Saturday in Tokyo",
      zone: "Asia/Tokyo",
      at: "2026-01-09T15:00:00Z",
      hour: 0,
      dayOfWeek: 5,
      weekend: true,
      holiday: false,
    },
    {
      name: "half-hour zone",
      zone: "Asia/Kolkata",
      at: "2026-01-05T00:00:00Z",
      hour: 5.5,
      dayOfWeek: 0,
      weekend: false,
      holiday: false,
    },
    {
      name: "before the clocks change",
      zone: "Europe/Berlin",
      at: "2026-03-29T00:59:00Z",
      hour: 1 + 59 / 60,
      dayOfWeek: 6,
      weekend: true,
      holiday: false,
    },
    {
      name: "after the clocks changed",
      zone: "Europe/Berlin",
      at: "2026-03-29T01:00:00Z",
      hour: 3,
      dayOfWeek: 6,
      weekend: true,
      holiday: false,
    },
    { name: "holiday", zone: "UTC", at: "2026-12-25T12:00:00Z", hour: 12, dayOfWeek: 4, weekend: false, holiday: true },
    {
      name: "holiday not yet begun in its zone",
      zone: "America/New_York",
      at: "2026-12-25T04:59:00Z",
      hour: 23 + 59 / 60,
      dayOfWeek: 3,
      weekend: false,
      holiday: false,
    },
    {
      name: "before 1970",
      zone: "UTC",
      at: "1969-12-31T01:00:00Z",
      hour: 1,
      dayOfWeek: 2,
      weekend: false,
      holiday: true,
    },
  ])("$name", ({ zone, at, hour, dayOfWeek, weekend, holiday }) => {
    const moment = createCalendar(zone, holidays)(Date.parse(at));
    expect(moment.hour).toBeCloseTo(hour, 9);
    expect({ ...moment, hour: 0 }).toEqual({ hour: 0, dayOfWeek, weekend, holiday });
  });

  test("refuses a zone that does not exist", () => {
    expect(() => createCalendar("Mars/Olympus", [])).toThrow(RangeError);
  });
});

describe("window features", () => {
  const mondayMs = Date.UTC(2026, 0, 5);
  const calendar = createCalendar("UTC", ["2026-01-05"]);
  // 30 minutes at 1 and 30 at 3 requests per second: level 2, anchor 3.
  const window = Array.from({ length: inputMinutes }, (_, minute) => (minute < 30 ? 1 : 3));

  test("are five numbers a minute, by hand", () => {
    const scale = scaleOf(window);
    expect(scale).toEqual({ levelQps: 2, anchorQps: 3 });
    const features = new Float32Array(featuresPerWindow + 5).fill(-1);
    writeFeatures(features, 5, window, scale, mondayMs + 6 * 3_600_000, calendar);
    const row = (minute: number) => Array.from(features.subarray(5 + minute * 5, 10 + minute * 5));
    expect([...features.subarray(0, 5)]).toEqual([-1, -1, -1, -1, -1]);
    const expectRow = (minute: number, expected: number[]) => {
      for (const [index, value] of row(minute).entries()) expect(value).toBeCloseTo(expected[index]!, 6);
    };
    expectRow(0, [Math.log(1.5) - Math.log(2), 0.25, 0, 0, 1]);
    expectRow(59, [Math.log(2.5) - Math.log(2), (6 + 59 / 60) / 24, 0, 0, 1]);
  });

  test.each([0.05, 1, 100_000])("do not depend on the scale of the traffic: x %p", (factor) => {
    const write = (rates: number[]) => {
      const features = new Float32Array(featuresPerWindow);
      writeFeatures(features, 0, rates, scaleOf(rates), mondayMs, calendar);
      return features;
    };
    const scaled = write(window.map((rate) => rate * factor));
    for (const [index, value] of write(window).entries()) expect(scaled[index]).toBeCloseTo(value, 5);
  });

  test("outputs turn back into rates, never below zero", () => {
    const scale = { levelQps: 2, anchorQps: 3 };
    expect(toTarget(8, scale)).toBe(2.5);
    expect(fromOutput(2.5, scale)).toBe(8);
    expect(fromOutput(0, scale)).toBe(3);
    expect(fromOutput(-2, scale)).toBe(0);
  });

  test.each([
    { name: "none", input: [1, 2], expected: [1, 2] },
    { name: "in between", input: [1, null, null, 4], expected: [1, 1, 1, 4] },
    { name: "at the start", input: [null, null, 5], expected: [5, 5, 5] },
    { name: "at the end", input: [5, null], expected: [5, 5] },
    { name: "everywhere", input: [null, null], expected: [0, 0] },
    { name: "nothing", input: [], expected: [] },
    { name: "zero is no gap", input: [0, null, 3], expected: [0, 0, 3] },
  ])("gaps: $name", ({ input, expected }) => {
    expect(fillGaps(input)).toEqual([...expected]);
  });
});
