import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { compareHours } from "#forecast/night/compare-hours.ts";
import { hourMs, minuteMs } from "#platform/time.ts";

const dayMs = Date.UTC(2026, 10, 30);
const at = (hour: number, fromMs = dayMs) => fromMs + hour * hourMs;
/** Price of each hour of two days; 0.3 where nothing else is said. */
const tariff = (change: Record<number, number>, fromMs = dayMs, hours = 48) => ({
  ...{ region: "eu", fromMs },
  usdPerKwh: Array.from({ length: hours }, (_, hour) => change[hour] ?? 0.3),
});
const utc = createCalendar("UTC", []);
const berlin = createCalendar("Europe/Berlin", []);
const night = { window: "01:00-05:00", maxMinutes: 60 };
const later = (startMs: number, usdPerKwh: number, nowUsdPerKwh = 0.3) => ({
  nowUsdPerKwh: expect.closeTo(nowUsdPerKwh, 9),
  later: { startMs, usdPerKwh: expect.closeTo(usdPerKwh, 9) },
});

test.each([
  ["a cheap hour is still to come", tariff({ 3: 0.1 }), at(1), later(at(3), 0.1)],
  ["of hours that cost the same, the first counts", tariff({ 2: 0.1, 3: 0.1 }), at(1), later(at(2), 0.1)],
  ["all hours cost the same", tariff({}), at(1), later(at(2), 0.3)],
  ["the last hour leaves no time to judge the model", tariff({ 4: 0.1 }), at(1), later(at(2), 0.3)],
  [
    "the hour that has begun counts by what is left of it",
    tariff({ 1: 0.1, 2: 0.2 }),
    at(1.5),
    later(at(2), 0.2, 0.15),
  ],
  ["no hour of the window is left", tariff({ 3: 0.1 }), at(3), { nowUsdPerKwh: expect.closeTo(0.1, 9), later: null }],
  ["a cheap hour after the window does not count", tariff({ 6: 0.01 }), at(1), later(at(2), 0.3)],
  ["before the window", tariff({ 3: 0.1 }), at(0.99), null],
  ["after the window", tariff({ 6: 0.1 }), at(5), null],
  ["no tariff", null, at(1), null],
  ["the controller has been gone for two days", tariff({ 3: 0.1 }, dayMs - 48 * hourMs), at(1), null],
  ["the prices begin later, by a clock that is ahead", tariff({ 3: 0.1 }, dayMs + 2 * hourMs), at(1), null],
  ["the prices end before the cheap hour would", tariff({ 3: 0.1 }, dayMs, 3), at(1), later(at(2), 0.3)],
])("%s", (_, known, nowMs, expected) => {
  expect(compareHours(known, night, nowMs, utc)).toEqual(expected as never);
});

test("a later hour must leave time for the longest training and its judgement", () => {
  const known = tariff({ 3: 0.1 });
  const [now, then] = [(0.3 * 120 + 0.1 * 45) / 165, (0.3 * 105 + 0.1 * 60) / 165];
  expect(compareHours(known, { ...night, maxMinutes: 165 }, at(1), utc)).toEqual(later(at(2), then, now) as never);
  expect(compareHours(known, { ...night, maxMinutes: 166 }, at(1), utc)?.later).toBeNull();
});

test("a window past midnight goes on in the next day", () => {
  const window = "22:00-04:00";
  expect(compareHours(tariff({ 26: 0.1 }), { ...night, window }, at(22), utc)).toEqual(later(at(26), 0.1) as never);
  expect(compareHours(tariff({ 27: 0.1 }), { ...night, window }, at(22), utc)).toEqual(later(at(23), 0.3) as never);
});

test("one of the whole day ends when the next begins", () => {
  const window = "06:00-06:00";
  expect(compareHours(tariff({ 28: 0.1 }), { ...night, window }, at(7), utc)).toEqual(later(at(28), 0.1) as never);
  expect(compareHours(tariff({ 30: 0.1 }), { ...night, window }, at(7), utc)).toEqual(later(at(8), 0.3) as never);
});

test("the night in which clocks go forward has an hour less, the one in which they go back an hour more", () => {
  const spring = Date.UTC(2026, 2, 29);
  const autumn = Date.UTC(2026, 9, 25);
  // 01:00 to 05:00 in Berlin: 00:00 to 03:00 UTC, and from 23:00 to 04:00.
  const cases = [
    [spring, at(0, spring), { 1: 0.2, 2: 0.1 }, at(1, spring), 0.2],
    [autumn - hourMs, at(-1, autumn), { 3: 0.1, 4: 0.05 }, at(2, autumn), 0.1],
  ] as const;
  for (const [fromMs, nowMs, prices, startMs, usdPerKwh] of cases)
    expect(compareHours(tariff(prices, fromMs), night, nowMs, berlin)).toEqual(later(startMs, usdPerKwh) as never);
  // The same hours of a night without a change: the last one is too late here and there.
  const winter = Date.UTC(2026, 10, 30);
  const usual = compareHours(tariff({ 2: 0.1 }, winter), night, at(0, winter), berlin);
  expect(usual).toEqual(later(at(2, winter), 0.1) as never);
});

test("the whole day on which clocks go back ends with it", () => {
  const autumn = Date.UTC(2026, 9, 24, 22);
  const window = "00:00-00:00";
  const config = { ...night, window };
  const day = tariff({ 23: 0.1, 25: 0.05 }, autumn);
  expect(compareHours(day, config, autumn, berlin)).toEqual(later(at(23, autumn), 0.1) as never);
  expect(compareHours(day, config, at(23, autumn) + 30 * minuteMs, berlin)?.later).toBeNull();
});
