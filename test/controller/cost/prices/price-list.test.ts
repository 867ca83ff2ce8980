import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { moneyToText } from "#controller/cost/money/money.ts";
import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { checkCatalogue } from "#controller/cost/prices/check-catalogue.ts";
import { createPriceList } from "#controller/cost/prices/price-list.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { hourMs } from "#platform/time.ts";

const read = (given: object) => parseConfig(PriceCatalogue, given, "prices.yaml", checkCatalogue);
const reference = read(
  (await readConfigFile(join(import.meta.dir, "../../../fixtures/reference-prices.yaml"))) as object,
);
const at = (text: string) => Date.parse(text);
const text = (amount: bigint | null) => (amount === null ? null : moneyToText(amount));

describe("electricity", () => {
  const { energy } = createPriceList(reference);
  test.each([
    ["before any price", "", "2026-01-01T04:59:00Z", null],
    ["from the first day on, in the catalogue's zone", "", "2026-01-01T05:00:00Z", "0.15"],
    ["until the price changes", "", "2026-07-01T03:59:00Z", "0.15"],
    ["after it changed: what was before is not rewritten", "", "2026-07-01T04:00:00Z", "0.17"],
    ["in a region without a tariff of its own", "us-east", "2026-07-01T04:00:00Z", "0.17"],
    ["at night, which begins on Monday", "eu-central", "2026-11-24T03:00:00Z", "0.19"],
    ["at night, after midnight", "eu-central", "2026-11-24T04:59:00Z", "0.19"],
    ["in the morning", "eu-central", "2026-11-24T05:00:00Z", "0.31"],
    ["in the night to Saturday, Friday's", "eu-central", "2026-11-28T04:00:00Z", "0.19"],
    ["on Saturday until midnight", "eu-central", "2026-11-28T22:59:00Z", "0.21"],
    ["in the night to Sunday, which has no hours", "eu-central", "2026-11-28T23:00:00Z", "0.31"],
  ])("%s", (_name, region, time, price) => {
    expect(text(energy(region, at(time), 1))).toBe(price);
  });

  test("a minute of a 7 W board in summer time", () => {
    expect(text(energy("eu-central", at("2026-07-07T02:30:00Z"), 420 / 3.6e6))).toBe("0.000022166667");
  });
});

describe("a device", () => {
  const { owning, gaps } = createPriceList(reference);
  test("costs amortisation and upkeep by the hour", () => {
    // (3000 + 36 × 5) ÷ 36 ÷ 730
    expect(text(owning(["jetson-thor"], at("2026-03-01T00:00:00Z"), hourMs))).toBe("0.12100456621");
    expect(text(owning(["thor-7", "jetson-thor"], at("2026-03-01T00:00:00Z"), 36 * 730 * hourMs))).toBe("3180");
  });

  test("without a price costs nothing known, and is counted and listed", () => {
    expect(owning(["jetson-nano"], at("2026-03-01T00:00:00Z"), hourMs)).toBeNull();
    expect(owning(["jetson-nano"], at("2026-03-01T00:01:00Z"), hourMs)).toBeNull();
    expect(gaps()).toEqual([{ section: "devices", what: "jetson-nano", count: 2 }]);
  });
});

test("instances and services: the region's price, else that of all; what has none is named", () => {
  const { instance, charge, gaps } = createPriceList(reference);
  const time = at("2026-03-01T00:00:00Z");
  expect(text(instance({ type: "c7g.2xlarge", region: "us-east-1", option: "spot" }, time, 730))).toBe("49.64");
  expect(text(charge({ service: "cdn", item: "class-100", region: "", per: "gb" }, time, 7000))).toBe("420");
  expect(instance({ type: "c7g.xlarge", region: "us-east-1", option: "on-demand" }, time, 1)).toBeNull();
  expect(charge({ service: "cdn", item: "class-all", region: "", per: "request" }, time, 1)).toBeNull();
  expect(gaps().map(({ section, what }) => `${section}: ${what}`)).toEqual([
    "instances: c7g.xlarge on-demand us-east-1",
    "charges: cdn class-all per request",
  ]);
});

describe("bad input", () => {
  const tariff = (from: string, more: object = {}) => ({ from, perKwh: 0.1, ...more });
  const device = { model: "a", from: "2026-01-01", purchase: 10, lifetimeMonths: 12 };
  const night = { from: "22:00", until: "06:00", perKwh: 0.1 };
  test.each<[string, object, RegExp]>([
    ["no currency", { currency: undefined }, /currency: /],
    ["an unknown currency", { currency: "USX" }, /currency: expected a currency of ISO 4217.*got "USX"/],
    ["a currency in small letters", { currency: "usd" }, /currency: .*usd/],
    ["an unknown zone", { timeZone: "Mars/Base" }, /timeZone: expected UTC.*Mars/],
    [
      "an unknown zone of a tariff",
      { electricity: [tariff("2026-01-01", { timeZone: "CET+1" })] },
      /electricity\.0\.timeZone: expected UTC.*CET/,
    ],
    ["a negative price", { electricity: [tariff("2026-01-01", { perKwh: -1 })] }, /electricity\.0\.perKwh: .*-1/],
    ["an absurd price", { electricity: [tariff("2026-01-01", { perKwh: 1500 })] }, /electricity\.0\.perKwh: .*1500/],
    ["a price in words", { devices: [{ ...device, purchase: "10 $" }] }, /devices\.0\.purchase: .*10 \$/],
    [
      "a day that does not exist",
      { electricity: [tariff("2026-02-30")] },
      /electricity\.0\.from: expected a day that exists/,
    ],
    [
      "an end before its start",
      { electricity: [tariff("2026-02-01", { until: "2026-02-01" })] },
      /electricity\.0\.until: expected a day after from \(2026-02-01\), got "2026-02-01"/,
    ],
    [
      "entries that overlap",
      { electricity: [tariff("2026-03-01"), tariff("2026-01-01", { until: "2026-04-01" })] },
      /electricity\.0\.from: expected no overlap with electricity\.1 \(2026-01-01 to 2026-04-01\), got "2026-03-01"/,
    ],
    ["two entries of one day", { devices: [device, device] }, /devices\.1\.from: expected no overlap with devices\.0/],
    [
      "a time without a price",
      { electricity: [tariff("2026-01-01", { until: "2026-02-01" }), tariff("2026-03-01")] },
      /electricity\.1\.from: expected 2026-02-01, where electricity\.0 ends, got "2026-03-01": no price in between/,
    ],
    [
      "hours that overlap",
      { electricity: [tariff("2026-01-01", { hours: [night, { ...night, days: ["tue"], from: "05:00" }] })] },
      /electricity\.0\.hours\.1: expected no overlap with hours\.0, got both at tue 05:00/,
    ],
    [
      "hours that overlap over the end of the week",
      {
        electricity: [
          tariff("2026-01-01", {
            hours: [
              { ...night, days: ["mon"], from: "00:00", until: "02:00" },
              { ...night, days: ["sun"] },
            ],
          }),
        ],
      },
      /electricity\.0\.hours\.1: expected no overlap with hours\.0, got both at mon 00:00/,
    ],
    [
      "an hour that does not exist",
      { electricity: [tariff("2026-01-01", { hours: [{ ...night, from: "25:00" }] })] },
      /hours\.0\.from/,
    ],
    [
      "a residual value above the price",
      { devices: [{ ...device, residual: 11 }] },
      /devices\.0\.residual: expected at most purchase \(10\), got 11/,
    ],
    ["no lifetime", { devices: [{ ...device, lifetimeMonths: 0 }] }, /devices\.0\.lifetimeMonths/],
    ["an unknown field", { devices: [{ ...device, price: 1 }] }, /devices\.0\.price: unknown/],
    [
      "an unknown option",
      { instances: [{ type: "a", option: "rented", from: "2026-01-01", perHour: 1 }] },
      /instances\.0\.option: .*"spot".*got "rented"/,
    ],
  ])("%s", (_name, given, message) => {
    expect(() => read({ currency: "USD", ...given })).toThrow(message);
  });

  test("all mistakes are told at once", () => {
    expect(() => read({ currency: "XQX", electricity: [tariff("2026-02-30")], devices: [device, device] })).toThrow(
      /currency: [\s\S]*electricity\.0\.from: [\s\S]*devices\.1\.from: /,
    );
  });

  test("two things may have prices of one time", () => {
    const both = [tariff("2026-01-01"), tariff("2026-01-01", { region: "eu" })];
    expect(read({ currency: "EUR", electricity: both }).electricity).toHaveLength(2);
  });
});
