import { describe, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { costOf } from "#controller/cost/history/cost-history.ts";
import { daysOf, monthOf } from "#controller/cost/history/sum-costs.ts";
import { moneyOf, moneyToNumber, moneyToText, sumOf } from "#controller/cost/money/money.ts";
import { chargeBack, chargebackCsv, chargebackView } from "#controller/cost/reports/chargeback.ts";
import { escapeHtml } from "#controller/cost/reports/escape-html.ts";
import { focusCsv } from "#controller/cost/reports/focus-csv.ts";
import { invoiceHtml } from "#controller/cost/reports/invoice-html.ts";
import { figure, text, writeCsv } from "#controller/cost/reports/write-csv.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { aCell, anHour } from "../history-of.ts";

test("texts that a spreadsheet would compute are made plain, others are quoted where they need it", () => {
  const row = ["=1+1", "+1", "-1", "@a", "\tb", "a,b", 'a"b', "a\nb", " a", "plain", ""].map(text);
  const csv = writeCsv(["n"], [[...row, figure("-1.5")]]);
  expect(csv).toBe(`n\r\n'=1+1,'+1,'-1,'@a,"'\tb","a,b","a""b","a\nb"," a",plain,,-1.5\r\n`.replace(`"'\tb"`, "'\tb"));
  expect(escapeHtml(`<a href="x">'&`)).toBe("&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
});

const month = monthOf("2026-11", "UTC");
const hours = [
  anHour(month.startMs, [
    aCell(1.000000000001, { offers: moneyOf(0.25) }),
    aCell(2, { tenant: "ops", model: "=cmd", requests: 0, tokens: 0 }),
    aCell(0.5, { tenant: null, model: null, requests: 0, tokens: 0, region: "" }),
  ]),
  anHour(month.startMs + dayMs, [aCell(3), aCell(0, { tenant: "free" })]),
];
const centres = (tenant: string) => (tenant === "shop" ? "4711" : null);
const charge = (sharesIdle: boolean) =>
  chargeBack(hours, { month: "2026-11", window: month, sharesIdle, costCentreOf: centres });

describe("chargeback", () => {
  test.each([true, false])("adds up to what the fleet cost, to the last digit; idle shared: %p", (sharesIdle) => {
    const found = charge(sharesIdle);
    const all = sumOf(hours.flatMap(({ cells }) => cells.map(costOf)));
    expect(found.total).toBe(all);
    expect(sumOf(found.tenants.map(({ total }) => total)) + found.unshared).toBe(all);
    for (const { total, models } of found.tenants) expect(sumOf(models.map((line) => line.total))).toBe(total);
    expect(found.unshared).toBe(sharesIdle ? 0n : moneyOf(0.5));
  });

  test("tells prices of a request and of a million tokens, and none without any", () => {
    const [shop, ops] = chargebackView(charge(false)).tenants;
    expect(shop).toMatchObject({ tenant: "shop", costCentre: "4711", requests: 200, tokens: 2000, offersUsd: 0.25 });
    expect(shop?.usdPerRequest).toBeCloseTo(4.25 / 200, 9);
    expect(shop?.usdPerMillionTokens).toBeCloseTo((4.25 / 2000) * 1e6, 6);
    expect(ops).toMatchObject({ tenant: "ops", usdPerRequest: null, usdPerMillionTokens: null });
  });

  test("as CSV has exact amounts that add up, idle time on a row of its own, and no formula", () => {
    const rows = parse(chargebackCsv(charge(false)), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(4);
    expect(sumOf(rows.map((row) => moneyOf(row["totalUsd"] as string)))).toBe(charge(false).total);
    expect(rows.map((row) => row["model"])).toContain("'=cmd");
    expect(rows.at(-1)).toMatchObject({ tenant: "", totalUsd: "0.5" });
  });

  test("as a page escapes all texts, runs nothing and loads nothing", () => {
    const evil = "<img src=x onerror=alert(1)>";
    const found = chargeBack([anHour(month.startMs, [aCell(1, { model: evil, tenant: "t" })])], {
      ...{ month: "2026-11", window: month, sharesIdle: true, costCentreOf: () => `${evil}"` },
    });
    const page = invoiceHtml({ ...found, missingEnergyMinutes: 12 }, evil);
    expect(page).not.toContain("<img");
    expect(page).not.toMatch(/<script|<[^>]*(src|href)=|url\(/);
    expect(page).toContain("&lt;img");
    expect(page).toContain("To pay: 1.00 US$");
    expect(page).toContain("The energy of 12 agent-minutes is unknown");
    expect(invoiceHtml({ ...found, tenants: [] }, "a")).toContain("Nothing is on record");
  });
});

describe("FOCUS", () => {
  const terms = { fleet: "hall", timeZone: "UTC", costCentreOf: centres };
  const csv = focusCsv(daysOf(hours, "UTC"), terms) ?? "";
  const rows = parse(csv, { columns: true }) as Record<string, string>[];

  test("has a charge for each day, region, tenant and model, for offers, and for idle time; none without cost", () => {
    expect(rows.map((row) => `${row["SubAccountId"]} ${row["SkuId"]} ${row["ChargePeriodStart"]}`).sort()).toEqual([
      ...[" idle/idle 2026-11-01T00:00:00Z", "ops '=cmd/device 2026-11-01T00:00:00Z"],
      ...["shop mini/device 2026-11-01T00:00:00Z", "shop mini/device 2026-11-02T00:00:00Z"],
      "shop mini/offer 2026-11-01T00:00:00Z",
    ]);
  });

  test("adds up to what the fleet cost, and each quantity × unit price is the cost", () => {
    const cost = (column: string) => sumOf(rows.map((row) => moneyOf(row[column] as string)));
    for (const column of ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"])
      expect(cost(column)).toBe(sumOf(hours.flatMap(({ cells }) => cells.map(costOf))));
    for (const row of rows)
      expect(Number(row["PricingQuantity"]) * Number(row["ListUnitPrice"])).toBe(Number(row["ListCost"]));
  });

  test("has times in UTC, billing periods of the local calendar, decimals, and empty fields for null", () => {
    const berlin = focusCsv(daysOf(hours, "Europe/Berlin"), { ...terms, timeZone: "Europe/Berlin" }) ?? "";
    const [row] = parse(berlin, { columns: true }) as Record<string, string>[];
    expect(row).toMatchObject({
      ...{ BillingPeriodStart: "2026-10-31T23:00:00Z", BillingPeriodEnd: "2026-11-30T23:00:00Z" },
      ...{ ChargePeriodStart: "2026-10-31T23:00:00Z", ChargePeriodEnd: "2026-11-01T23:00:00Z", ChargeClass: "" },
      ...{ BilledCost: "1.000000000001", Tags: '{"cost-centre":"4711"}', RegionId: "eu", ConsumedQuantity: "100.0" },
    });
    expect(rows.find((each) => each["SubAccountId"] === "")).toMatchObject({ RegionId: "", ConsumedUnit: "kWh" });
  });

  test("more charges than a file may have are none", () => {
    const many = Array.from({ length: 1000 }, (_, index) => aCell(1, { tenant: `t${index}` }));
    const days = daysOf(
      Array.from({ length: 101 }, (_, day) => anHour(month.startMs + day * dayMs, many)),
      "UTC",
    );
    expect(focusCsv(days, terms)).toBeNull();
  });
});

test("months are of the local calendar", () => {
  expect(monthOf(month.startMs - hourMs, "Europe/Berlin").month).toBe("2026-11");
  expect(monthOf("2026-12", "UTC")).toMatchObject({ endMs: Date.UTC(2027, 0, 1) });
  expect(moneyToText(moneyOf(moneyToNumber(moneyOf(1))))).toBe("1");
});
