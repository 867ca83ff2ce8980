import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { cataloguePrices, configuredPrices } from "#controller/cost/prices/price-source.ts";
import { createTariffNotice } from "#controller/cost/prices/tell-tariffs.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { tariffLimits } from "#protocol/messages.ts";
import { aBirth } from "../../../fakes/builders.ts";

const fleet = { tariffUsdPerKwh: 0.05, amortisationUsdPerHour: 0.1 };
const startMs = Date.UTC(2026, 10, 30);
const hours = (from: string, until: string, perKwh: number) => ({
  ...{ from, until, perKwh },
  days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
});
const night = { from: "2026-01-01", perKwh: 0.3, hours: [hours("22:00", "06:00", 0.1)] };
const eu = { region: "eu", timeZone: "Europe/Berlin", ...night };
const priced = (...electricity: object[]) =>
  cataloguePrices(Value.Parse(PriceCatalogue, { currency: "USD", electricity }), fleet);
const born = (region: string, tariffUsdPerKwh: number | null = null) =>
  aBirth({ region, prices: { tariffUsdPerKwh, amortisationUsdPerHour: null } });

function notice(prices: ReturnType<typeof priced>, births: ReturnType<typeof born>[], now: { nowMs: number }) {
  const lines: string[] = [];
  const log = { ...createLogger("test", "silent"), warn: (_: object, line: string) => void lines.push(line) };
  const told = createTariffNotice({
    prices,
    births: () => [null, ...births],
    nowMs: () => now.nowMs,
    log: log as never,
  });
  return { told, lines };
}

test("48 hours from the last noon or midnight are told, of regions whose price changes with the hour", () => {
  const now = { nowMs: startMs + 5 * hourMs };
  const prices = priced(eu, { region: "flat", from: "2026-01-01", perKwh: 0.2 });
  const { told } = notice(prices, [born("eu"), born("eu"), born("flat"), born("nowhere")], now);
  const [first, ...more] = told();
  expect(more).toEqual([]);
  expect(first).toMatchObject({ region: "eu", fromMs: startMs });
  // 22:00 to 06:00 in Berlin are 21:00 to 05:00 UTC in winter.
  const expected = Array.from({ length: 48 }, (_, hour) => (hour % 24 >= 21 || hour % 24 < 5 ? 0.1 : 0.3));
  expect(first?.usdPerKwh).toEqual(expected);
  expect(told()[0]).toBe(first as never);
  now.nowMs = startMs + 12 * hourMs;
  expect(told()[0]).toMatchObject({
    fromMs: startMs + 12 * hourMs,
    usdPerKwh: [...expected, ...expected].slice(12, 60),
  });
});

test("hours are those of the region's clock, also on days when it changes", () => {
  const cheap = (dayStartMs: number) => {
    const [tariff] = notice(priced(eu), [born("eu")], { nowMs: dayStartMs }).told();
    return tariff?.usdPerKwh.flatMap((usd, hour) => (usd === 0.1 ? [hour] : [])).filter((hour) => hour < 24);
  };
  // To 06:00 of summer time (04:00 UTC) and from 22:00 (20:00 UTC); the other way in autumn.
  expect(cheap(Date.UTC(2026, 2, 29))).toEqual([0, 1, 2, 3, 20, 21, 22, 23]);
  expect(cheap(Date.UTC(2026, 9, 25))).toEqual([0, 1, 2, 3, 4, 21, 22, 23]);
});

test("an hour in which the price changes costs the mean of its quarters", () => {
  const half = { from: "2026-01-01", perKwh: 0.3, hours: [hours("02:30", "03:15", 0.1)] };
  const [tariff] = notice(priced(half), [born("")], { nowMs: startMs }).told();
  expect(tariff?.region).toBe("");
  expect(tariff?.usdPerKwh.slice(1, 5)).toEqual([0.3, 0.2, 0.25, 0.3]);
});

test("nothing is told without a catalogue, of agents with a price of their own, nor of hours without a price", () => {
  const now = { nowMs: startMs };
  expect(notice(configuredPrices(fleet), [born("eu")], now).told()).toEqual([]);
  expect(notice(priced(eu), [born("eu", 0.2)], now).told()).toEqual([]);
  expect(notice(priced(eu), [], now).told()).toEqual([]);
  // The configured price, which counts from the catalogue's end on, is no cheap hour.
  const ends = { ...eu, timeZone: "UTC", until: "2026-12-01" };
  const [tariff] = notice(priced(ends), [born("eu")], now).told();
  expect(tariff?.usdPerKwh).toHaveLength(24);
  const flat = { region: "eu", from: "2026-01-01", until: "2026-12-01", perKwh: 0.2 };
  expect(notice(priced(flat), [born("eu")], now).told()).toEqual([]);
  expect(notice(priced(eu), [born("eu")], { nowMs: startMs - 10 * 365 * dayMs }).told()).toEqual([]);
});

test("of too many regions those of most agents are told, by name, and a line says so once", () => {
  const names = Array.from({ length: tariffLimits.maxRegions + 1 }, (_, index) => `r${String(index).padStart(2, "0")}`);
  const births = names.flatMap((name) => (name === "r05" ? [born(name)] : [born(name), born(name)]));
  const { told, lines } = notice(priced(night), births, { nowMs: startMs });
  expect(told().map(({ region }) => region)).toEqual(names.filter((name) => name !== "r05"));
  told();
  expect(lines).toEqual([expect.stringContaining("of most agents only")]);
});
