import { describe, expect, test } from "bun:test";
import { parseControllerConfig } from "#controller/check-config.ts";
import { decideSpendForecast, type SpentDay } from "#controller/cost/spend/decide-spend-forecast.ts";
import { forecastSpend } from "#controller/cost/spend/forecast-spend.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { aCell, anHour, historyOf } from "../history-of.ts";

const week = (usd: (day: number) => number, days: number): SpentDay[] =>
  Array.from({ length: days }, (_, day) => ({ weekday: day % 7, usd: usd(day) }));
const coming = (days: number, plannedUsd = 0) =>
  Array.from({ length: days }, (_, day) => ({ weekday: day % 7, share: 1, plannedUsd }));

describe("a forecast of spend", () => {
  test.each<[string, SpentDay[], number, string]>([
    ["nothing on record", [], 0, "no-history"],
    ["three days", week(() => 10, 3), 70, "few-days"],
    ["two weeks", week(() => 10, 14), 70, "level"],
    ["a weekend each week", week((day) => (day % 7 < 2 ? 3 : 10), 28), 56, "level-and-weekdays"],
  ])("%s", (_name, past, expected, rule) => {
    const found = decideSpendForecast({ past, coming: coming(7) });
    expect(found.rule).toBe(rule as typeof found.rule);
    expect(found.expectedUsd).toBeCloseTo(expected, 0);
    expect(found.lowUsd).toBeLessThanOrEqual(found.expectedUsd);
    expect(found.highUsd).toBeGreaterThanOrEqual(found.expectedUsd);
  });

  test("knows the days of the week after three weeks", () => {
    const past = week((day) => (day % 7 < 2 ? 3 : 10), 42);
    const one = (weekday: number) =>
      decideSpendForecast({ past, coming: [{ weekday, share: 1, plannedUsd: 0 }] }).expectedUsd;
    expect(one(0)).toBeLessThan(4.5);
    expect(one(3)).toBeGreaterThan(9);
  });

  test("counts known changes, and never falls below 0", () => {
    const past = week(() => 10, 14);
    expect(decideSpendForecast({ past, coming: coming(7, 5) }).expectedUsd).toBeCloseTo(105, 6);
    expect(decideSpendForecast({ past, coming: coming(7, -50) })).toMatchObject({ expectedUsd: 0, lowUsd: 0 });
    expect(decideSpendForecast({ past: [], coming: coming(7, 5) }).expectedUsd).toBe(35);
    const half = [{ weekday: 0, share: 0.5, plannedUsd: 4 }];
    expect(decideSpendForecast({ past, coming: half }).expectedUsd).toBeCloseTo(7, 6);
  });

  test("is surer of a fleet that costs the same each day than of one that varies", () => {
    const widthOf = (past: SpentDay[]) => {
      const { lowUsd, highUsd, expectedUsd } = decideSpendForecast({ past, coming: coming(14) });
      return (highUsd - lowUsd) / expectedUsd;
    };
    const steady = widthOf(week(() => 10, 60));
    const wild = widthOf(week((day) => (Math.floor(day / 10) % 2 === 0 ? 10 : 25), 60));
    expect(steady).toBeLessThan(0.1);
    expect(wild).toBeGreaterThan(3 * steady);
    expect(widthOf(week(() => 10, 5))).toBeGreaterThan(0.8);
  });

  test("follows a level that has changed for weeks", () => {
    const past = week((day) => (day < 60 ? 10 : 20), 90);
    expect(decideSpendForecast({ past, coming: coming(7) }).dailyUsd).toBeGreaterThan(17);
  });
});

test("this month and the next, by the local calendar, with what is spent already", async () => {
  const start = Date.UTC(2026, 10, 1);
  const hours = Array.from({ length: 20 * 24 + 6 }, (_, hour) => anHour(start + hour * hourMs, [aCell(1)]));
  const nowMs = start + 20 * dayMs + 6 * hourMs;
  const planned = [{ what: "two more devices", from: "2026-12-01", until: "2026-12-11", usdPerDay: 6 }];
  const found = await forecastSpend(historyOf(hours), { nowMs, timeZone: "UTC", planned });
  expect(found).toMatchObject({ month: "2026-11", spentUsd: 486, days: 20, next: { month: "2026-12" } });
  expect(found.rest.expectedUsd).toBeCloseTo(9.75 * 24, 6);
  expect(found.total.expectedUsd).toBeCloseTo(30 * 24, 6);
  expect(found.next.expectedUsd).toBeCloseTo(31 * 24 + 60, 6);
  const berlin = await forecastSpend(historyOf(hours), { nowMs, timeZone: "Europe/Berlin", planned: [] });
  // The first day on record began an hour into the local one and counts; the month ends an hour earlier.
  expect(berlin.rest.expectedUsd).toBeCloseTo((9.75 - 1 / 24) * 24, 0);
  expect(found.reason).toContain("20 days");
  const none = await forecastSpend(historyOf([]), { nowMs, timeZone: "UTC", planned: [] });
  expect(none).toMatchObject({ spentUsd: 0, total: { expectedUsd: 0 }, reason: "no whole day is on record" });
});

test("a first day that the fleet began within is no level", async () => {
  const start = Date.UTC(2026, 10, 1);
  const hours = Array.from({ length: 3 * 24 + 4 }, (_, hour) => anHour(start + (20 + hour) * hourMs, [aCell(1)]));
  const found = await forecastSpend(historyOf(hours), { nowMs: start + 4 * dayMs, timeZone: "UTC", planned: [] });
  expect(found).toMatchObject({ days: 3, dailyUsd: 24 });
});

test.each([
  [{ from: "2026-02-30", until: null }, 'cost.planned.0: expected a day that exists, got "2026-02-30"'],
  [{ from: "2026-03-02", until: "2026-03-01" }, "cost.planned.0.until: expected a day after 2026-03-02"],
])("a known change %j is refused", (given, why) => {
  expect(() => parseControllerConfig({ cost: { planned: [{ what: "x", usdPerDay: 1, ...given }] } }, "a")).toThrow(why);
});
