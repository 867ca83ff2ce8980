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

const comingAfter = (known: number, days: number) =>
  Array.from({ length: days }, (_, day) => ({ weekday: (known + day) % 7, share: 1, plannedUsd: 0 }));

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
    if (rule === "no-history") expect(found).toMatchObject({ lowUsd: null, highUsd: null });
    else {
      expect(found.lowUsd).toBeLessThan(found.expectedUsd);
      expect(found.highUsd).toBeGreaterThan(found.expectedUsd);
    }
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

  const widthOf = (past: SpentDay[], days = 14, given: object = {}) => {
    const found = decideSpendForecast({ past, coming: coming(days), ...given });
    return ((found.highUsd ?? Number.NaN) - (found.lowUsd ?? Number.NaN)) / found.expectedUsd;
  };

  test("is surer of a fleet that costs the same each day than of one that varies", () => {
    const steady = widthOf(week(() => 10, 60));
    const wild = widthOf(week((day) => (Math.floor(day / 10) % 2 === 0 ? 10 : 25), 60));
    expect(steady).toBeLessThan(0.1);
    expect(wild).toBeGreaterThan(3 * steady);
  });

  test("is surer the more days are on record, the nearer the days to come are, and never certain", () => {
    const first = (hours: number) => widthOf([], 14, { firstHours: { usd: 10, hours } });
    const widths = [first(0.1), first(12), ...[1, 2, 3, 5, 7, 14, 28, 60].map((days) => widthOf(week(() => 10, days)))];
    for (const [index, width] of widths.slice(1).entries()) expect(width).toBeLessThan(widths[index] as number);
    // Three equal days tell nothing of a weekend.
    expect(widths[4]).toBeGreaterThan(0.35);
    expect(widths.at(-1)).toBeGreaterThan(0.03);
    const wandering = week((day) => 10 + 5 * Math.sin(day / 9), 100);
    expect(widthOf(wandering, 14)).toBeGreaterThan(1.2 * widthOf(wandering, 2));
    expect(widthOf(wandering, 7, { leadDays: 20 })).toBeGreaterThan(widthOf(wandering, 7));
  });

  test("a day without any cost widens the interval, and breaks nothing", () => {
    const idle = widthOf(week((day) => (day % 7 === 3 ? 0 : 10), 60));
    expect(idle).toBeGreaterThan(0);
    expect(widthOf(week((day) => (day % 20 === 3 ? 0 : 10), 60))).toBeLessThan(2);
    const nothing = decideSpendForecast({ past: week(() => 0, 30), coming: coming(7) });
    expect(nothing).toMatchObject({ expectedUsd: 0, lowUsd: 0, highUsd: 0 });
  });

  test("its intervals hold eight of ten sums, not all, of random fleets that wander and have weekends", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const normal = () => random() + random() + random() + random() + random() + random() - 3;
    let [covered, count] = [0, 0];
    for (let fleet = 0; fleet < 60; fleet += 1) {
      const [noise, wander] = [0.3 * random(), 0.06 * random()];
      let level = 100;
      const days = week((day) => {
        level *= Math.exp(wander * normal());
        return level * Math.exp(noise * normal()) * (day % 7 === 0 || day % 7 === 6 ? 0.7 : 1);
      }, 90);
      for (const [known, horizon] of [
        ...[3, 10].map((days) => [days, 7] as const),
        ...[20, 45, 60].map((days) => [days, 30] as const),
      ]) {
        const { lowUsd, highUsd } = decideSpendForecast({
          past: days.slice(0, known),
          coming: comingAfter(known, horizon),
        });
        const usd = days.slice(known, known + horizon).reduce((sum, day) => sum + day.usd, 0);
        covered += Number((lowUsd ?? 0) <= usd && usd <= (highUsd ?? 0));
        count += 1;
      }
    }
    expect(covered / count).toBeGreaterThan(0.75);
    expect(covered / count).toBeLessThan(0.98);
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
  expect(none).toMatchObject({ spentUsd: 0, total: { expectedUsd: 0 }, reason: "no minute is on record" });
  expect(none.total.lowUsd).toBeNull();
});

test("a first day that the fleet began within is no level", async () => {
  const start = Date.UTC(2026, 10, 1);
  const hours = Array.from({ length: 3 * 24 + 4 }, (_, hour) => anHour(start + (20 + hour) * hourMs, [aCell(1)]));
  const found = await forecastSpend(historyOf(hours), { nowMs: start + 4 * dayMs, timeZone: "UTC", planned: [] });
  expect(found).toMatchObject({ days: 3, dailyUsd: 24 });
});

test("a fleet of a few hours has a projection, and one that is unsure", async () => {
  const start = Date.UTC(2026, 10, 10, 8);
  // Two agents have ten minutes of the first hour on record, and the second hour.
  const hour = (startMs: number, usd: number, observedMinutes: number) => ({
    ...anHour(startMs, [aCell(usd), aCell(usd, { agentId: "thor-2" })]),
    observedMinutes,
  });
  const nowMs = start + 2 * hourMs;
  const terms = { nowMs, timeZone: "UTC", planned: [] };
  const found = await forecastSpend(historyOf([hour(start, 0.1, 20), hour(start + hourMs, 0.6, 120)]), terms);
  // 1.40 $ in 70 minutes.
  expect(found.dailyUsd).toBeCloseTo(28.8, 9);
  expect(found.rest.expectedUsd).toBeCloseTo(28.8 * (20 + 14 / 24), 6);
  expect(found.total.lowUsd as number).toBeLessThan(0.5 * found.total.expectedUsd);
  expect(found.total.highUsd as number).toBeGreaterThan(2 * found.total.expectedUsd);
  expect(found.reason).toContain("by its first hours");
  const later = await forecastSpend(historyOf([hour(start, 0.1, 20)]), { ...terms, nowMs: start + 3 * dayMs });
  expect(later.days).toBe(0);
});

test.each([
  ["UTC", 29],
  ["Europe/Berlin", 29],
  ["America/New_York", 29],
])("February of a leap year in %s has 29 days", async (timeZone, days) => {
  const start = Date.UTC(2028, 0, 1);
  const hours = Array.from({ length: 40 * 24 }, (_, hour) => anHour(start + hour * hourMs, [aCell(1)]));
  const found = await forecastSpend(historyOf(hours), { nowMs: start + 40 * dayMs, timeZone, planned: [] });
  expect(found.month).toBe("2028-02");
  expect(found.total.expectedUsd).toBeCloseTo(days * 24, 6);
});

test.each([
  [{ from: "2026-02-30", until: null }, 'cost.planned.0: expected a day that exists, got "2026-02-30"'],
  [{ from: "2026-03-02", until: "2026-03-01" }, "cost.planned.0.until: expected a day after 2026-03-02"],
])("a known change %j is refused", (given, why) => {
  expect(() => parseControllerConfig({ cost: { planned: [{ what: "x", usdPerDay: 1, ...given }] } }, "a")).toThrow(why);
});
