import { describe, expect, test } from "bun:test";
import { daysOf, monthOf } from "#controller/cost/history/sum-costs.ts";
import { moneyOf, moneyToText } from "#controller/cost/money/money.ts";
import { decideReconciliation, type NamedCost } from "#controller/cost/reconcile/decide-reconciliation.ts";
import { explainReconciliation } from "#controller/cost/reconcile/explain-reconciliation.ts";
import { type BillTerms, parseBill } from "#controller/cost/reconcile/parse-bill.ts";
import { focusCsv } from "#controller/cost/reports/focus-csv.ts";
import { aCell, anHour } from "../history-of.ts";

const window = monthOf("2026-11", "UTC");
const terms: BillTerms = { by: "region", column: null, window };
const parsed = (text: string, given: Partial<BillTerms> = {}) => {
  const { lines, ...bill } = parseBill(text, "bill.csv", { ...terms, ...given });
  return { ...bill, lines: lines.map(({ name, cost }) => `${name} ${moneyToText(cost)}`) };
};

const focus = `BilledCost,BillingCurrency,ChargePeriodStart,RegionId,SubAccountId
0.1,USD,2026-11-01T00:00:00Z,eu,shop
0.2,USD,2026-11-30T23:59:59Z,eu,ops
-1.5,USD,2026-11-02T00:00:00Z,us,
9,USD,2026-12-01T00:00:00Z,eu,shop
`;
const cur = `lineItem/UnblendedCost,lineItem/CurrencyCode,lineItem/UsageStartDate,product/region,x
1e-7,USD,2026-11-01T00:00:00Z,us-east-1,a
2.5,USD,2026-11-01 00:00:00 UTC,us-east-1,b
`;

describe("a provider's bill", () => {
  test("in FOCUS's form, added up exactly, credits and other months told apart", () => {
    expect(parsed(focus)).toEqual({ form: "FOCUS", charges: 4, chargesOutside: 1, lines: ["eu 0.3", "us -1.5"] });
    expect(parsed(focus, { by: "tenant" }).lines).toEqual(["shop 0.1", "ops 0.2", " -1.5"]);
  });

  test("in the form of AWS' Cost and Usage Report, and by another column", () => {
    expect(parsed(cur)).toMatchObject({ form: "CUR", lines: ["us-east-1 2.5000001"] });
    expect(parsed(cur, { column: "x" }).lines).toEqual(["a 0.0000001", "b 2.5"]);
  });

  test("that thormesh wrote itself", () => {
    const csv = focusCsv(
      daysOf([anHour(window.startMs, [aCell(1.25), aCell(0.5, { tenant: null, model: null })])], "UTC"),
      {
        ...{ fleet: "hall", timeZone: "UTC", costCentreOf: () => null },
      },
    );
    expect(parsed(csv ?? "").lines).toEqual(["eu 1.75"]);
  });

  test.each([
    ["", "expected a bill with the columns of FOCUS (BilledCost, ChargePeriodStart)"],
    ["a,b\n1,2\n", "got a, b"],
    [
      "BilledCost,ChargePeriodStart\n1,2026-11-01T00:00:00Z\n",
      "expected a column RegionId or RegionName to tell regions apart",
    ],
    [focus.replace("0.1,", "=1+1,"), 'charge 1: expected a decimal number in BilledCost, got "=1+1"'],
    [focus.replace("0.1,", "1e99,"), 'expected an amount up to 1000000000000 in BilledCost, got "1e99"'],
    [focus.replace("0.1,", ","), 'expected a decimal number in BilledCost, got ""'],
    [focus.replace("USD", "EUR"), 'charge 1: expected USD in BillingCurrency, got "EUR"'],
    [focus.replace("2026-11-01T", "2026-02-30T"), "expected a time such as 2026-11-01T00:00:00Z in ChargePeriodStart"],
    [`${focus}1,2\n`, "bill.csv, line"],
    [`BilledCost,ChargePeriodStart,RegionId\n1,"2026-11-01T00:00:00Z,eu\n`, "bill.csv, line"],
    [`BilledCost,ChargePeriodStart,RegionId\n1,2026-11-01T00:00:00Z,${"x".repeat(200_000)}\n`, "bill.csv, line"],
    [
      Array.from({ length: 1002 }, (_, at) => (at < 2 ? ["BilledCost", "ChargePeriodStart"][at] : `c${at}`)).join(),
      "expected at most 1000 columns, got 1002",
    ],
  ])("that is none is refused: %#", (text, why) => {
    expect(() => parsed(text)).toThrow(why);
  });

  test("with more charges than are read is refused", () => {
    const rows = "1,2026-11-01T00:00:00Z,eu\n".repeat(500_001);
    expect(() => parsed(`BilledCost,ChargePeriodStart,RegionId\n${rows}`)).toThrow("expected at most 500000 charges");
  });
});

const costs = (of: Readonly<Record<string, number>>): NamedCost[] =>
  Object.entries(of).map(([name, usd]) => ({ name, cost: moneyOf(usd) }));
const decide = (
  billed: Readonly<Record<string, number>>,
  own: Readonly<Record<string, number>>,
  names: [string, string][] = [],
) => decideReconciliation({ billed: costs(billed), own: costs(own), names: new Map(names), toleranceUsd: 0.01 });

describe("a reconciliation", () => {
  test("tells line by line, and its differences add up to the whole one", () => {
    const found = decide({ eu: 10.005, us: 5, support: 3 }, { eu: 10, us: 4, idle: 2 });
    expect(found.lines.map(({ name, verdict, difference }) => `${name} ${verdict} ${moneyToText(difference)}`)).toEqual(
      [...["support only-billed 3", "idle only-own -2", "us differs 1", "eu agrees 0.005"]],
    );
    expect(found.difference).toBe(found.billed - found.own);
    const { onlyBilled, onlyOwn, differing, tolerated } = found.rest;
    expect(onlyBilled + onlyOwn + differing + tolerated).toBe(found.difference);
    expect(explainReconciliation(found)).toBe(
      "billed 18.00 $, computed 16.00 $: 2.00 $ apart; 3.00 $ in 1 lines that only the bill has, -2.00 $ in 1 lines that only thormesh has, 1.00 $ in 1 lines that differ",
    );
  });

  test("by names of the bill that mean own ones", () => {
    const found = decide({ "us-east-1": 4, "us-east-2": 1 }, { us: 5 }, [
      ["us-east-1", "us"],
      ["us-east-2", "us"],
    ]);
    expect(found.lines).toHaveLength(1);
    expect(explainReconciliation(found)).toBe("billed 5.00 $, computed 5.00 $: 0.00 $ apart; every line agrees");
  });

  test("nothing on either side", () => {
    expect(decide({}, {})).toMatchObject({ lines: [], difference: 0n });
  });
});
