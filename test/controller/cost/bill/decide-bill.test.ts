import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { decisions } from "#cli/decide/decisions.ts";
import { readConfigFile } from "#platform/files/read-config.ts";

const fixture = async (name: string) =>
  (await readConfigFile(join(import.meta.dir, "../../../fixtures", name))) as Record<string, unknown>;
const prices = await fixture("reference-prices.yaml");
const answer = (input: object) => decisions["bill"]?.answer(input, "bill.yaml") as Record<string, unknown>;

describe("the reference bills", () => {
  test("one fleet: 3,470 before and 2,970 after; three of its amounts don't follow from what they are made of", async () => {
    const bill = answer({ ...(await fixture("bill-one-fleet.yaml")), prices });
    expect(bill).toMatchObject({ before: 3470, after: 2970, saved: 500, savedPercent: expect.closeTo(14.409222, 6) });
    expect(bill).toMatchObject({ perMillion: { before: 34.7, after: 29.7 } });
    expect(bill["contradictions"]).toEqual([
      expect.objectContaining({ reason: "saved by power modes: stated 70, but it adds up to 1.69" }),
      expect.objectContaining({
        reason: "CDN in class 100, from 600 in class All: stated 420, but it adds up to 423.53",
      }),
      expect.objectContaining({ stated: 0.136, computed: 0.068 }),
    ]);
    expect(bill["reason"]).toBe("3470.00 before, 2970.00 after: 500.00 less (14.4 %); 3 stated sums don't add up");
  });

  test("two regions: 8,000 before and 5,550 after, and all of its sums add up", async () => {
    const bill = answer(await fixture("bill-two-regions.yaml"));
    expect(bill).toMatchObject({ before: 8000, after: 5550, saved: 2450, contradictions: [] });
    expect(bill).toMatchObject({ perMillion: { before: expect.closeTo(26.6667, 4), after: 18.5 } });
    expect(bill["lines"]).toContainEqual({ name: "devices", before: 4000, after: 2400, saved: 1600 });
    expect(bill["resources"]).toEqual([
      { name: "GPU", utilization: 0.35, wasted: 2600 },
      { name: "CPU", utilization: 0.4375, wasted: null },
      { name: "memory", utilization: 0.5625, wasted: null },
      { name: "storage", utilization: 0.45, wasted: 192.5 },
    ]);
    expect(bill["reason"]).toBe("8000.00 before, 5550.00 after: 2450.00 less (30.6 %); all stated sums add up");
  });

  test("prices of another day give other sums", async () => {
    const bill = answer({ ...(await fixture("bill-one-fleet.yaml")), prices, day: "2026-08-01" });
    expect(bill["contradictions"]).toContainEqual(
      expect.objectContaining({ what: "energy of five devices always at 15 W", stated: 8.1, computed: 9.18 }),
    );
  });
});

describe("a stated amount", () => {
  const claim = (stated: number, quantity: number) =>
    answer({
      lines: [{ name: "a", before: { stated: 1 }, after: { stated: 1 } }],
      claims: [{ name: "c", stated, parts: [{ what: "w", quantity, price: 1 }] }],
    })["contradictions"];
  test.each([
    [6.41, 6.4125, 0],
    [6.41, 6.415, 1],
    [6.42, 6.415, 0],
    [-31, -30.625, 0],
    [31, 31.5, 1],
    [0, 0.4, 0],
    [0, -0.6, 1],
  ])("%p of parts that add up to %p: %p contradictions", (stated, quantity, count) => {
    expect(claim(stated, quantity)).toHaveLength(count);
  });
});

test("a bill of nothing has no shares, and one that grows says so", () => {
  const line = (before: number, after: number) => [{ name: "a", before: { stated: before }, after: { stated: after } }];
  const resources = [{ name: "GPU", requested: 0, used: 1, line: "a" }];
  expect(answer({ lines: line(0, 0), requests: 0, resources })).toMatchObject({
    ...{ savedPercent: null, perMillion: null, resources: [{ name: "GPU", utilization: null, wasted: null }] },
  });
  expect(answer({ lines: line(1, 2.5) })["reason"]).toBe(
    "1.00 before, 2.50 after: 1.50 more (-150.0 %); all stated sums add up",
  );
  expect(answer({ lines: line(5, 1), resources: [{ name: "GPU", requested: 1, used: 3, line: "a" }] })).toMatchObject({
    resources: [{ utilization: 3, wasted: 0 }],
  });
});

describe("bad input", () => {
  const side = { stated: 1 };
  const line = { name: "a", before: side, after: side };
  const part = (more: object) => ({ lines: [{ ...line, after: { parts: [{ what: "w", quantity: 1, ...more }] } }] });
  const ofCdn = (item: string) => part({ charge: { service: "cdn", item, per: "gb" } });
  test.each<[string, object, RegExp]>([
    ["no lines", { lines: [] }, /lines: /],
    ["a line twice", { lines: [line, line] }, /lines\.1\.name: expected each line once, got "a" again/],
    [
      "a side without an amount",
      { lines: [{ ...line, after: {} }] },
      /lines\.0\.after: expected stated, parts or both/,
    ],
    ["a part without a price", part({}), /lines\.0\.after\.parts\.0: expected one of price.*got none/],
    ["a part of two prices", part({ price: 1, electricity: {} }), /got price, electricity/],
    ["a price of no catalogue", part({ electricity: {} }), /parts\.0\.electricity: expected prices and day/],
    [
      "a price that the catalogue lacks",
      { ...ofCdn("class-5"), prices, day: "2026-03-02" },
      /parts\.0\.charge: expected a price on 2026-03-02 in charges, got none for cdn class-5 per gb/,
    ],
    [
      "a price before there was one",
      { ...ofCdn("class-100"), prices, day: "2025-12-31" },
      /expected a price on 2025-12-31/,
    ],
    ["a day that does not exist", { lines: [line], day: "2026-02-30" }, /day: expected a day that exists/],
    ["a wrong catalogue", { lines: [line], prices: { currency: "USX" } }, /prices\.currency: .*USX/],
    [
      "a resource of no line",
      { lines: [line], resources: [{ name: "GPU", requested: 1, used: 1, line: "b" }] },
      /resources\.0\.line: expected the name of a line, got "b"/,
    ],
    ["an unknown sum", { lines: [line], stated: { befor: 1 } }, /stated\.befor: unknown/],
  ])("%s", (_name, input, message) => expect(() => answer(input)).toThrow(message));
});
