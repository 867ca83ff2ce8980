import { describe, expect, test } from "bun:test";
import {
  type Ceiling,
  type CeilingsInput,
  type DueLimit,
  decideCeilings,
  refusedShare,
} from "#controller/access/decide-ceilings.ts";
import { explainCeiling } from "#controller/access/explain-ceilings.ts";

const dayMs = 86_400_000;
const due = (given: Partial<DueLimit> = {}): DueLimit => ({
  ...{ budget: "shop", tenant: "red", limitPercent: 50, atPercent: 100, usedPercent: 104 },
  ...{ period: { startMs: 0, endMs: dayMs }, ...given },
});
const input = (given: Partial<CeilingsInput> = {}): CeilingsInput => ({
  ...{ held: [], due: [due()], nowMs: 1000, isFrozen: false, isTenant: () => true },
  demandOf: () => ({ requests: 24.2, tokens: 600 }),
  ownLimitsOf: () => ({ requests: null, tokens: null }),
  ...given,
});
const ceiling = (given: Partial<Ceiling> = {}): Ceiling => ({
  ...{ budget: "shop", tenant: "red", startMs: 1000, endMs: dayMs, limitPercent: 50 },
  ...{ base: { requests: 24.2, tokens: 600 }, limits: { requests: 13, tokens: 300 }, ...given },
});
const kinds = (given: Partial<CeilingsInput>) =>
  decideCeilings(input(given)).changes.map((change) => (change.kind === "lift" ? change.cause : change.kind));

test("a step that is due limits its tenant to a share of what it asked for, until the period ends", () => {
  expect(decideCeilings(input())).toEqual({
    ceilings: [ceiling()],
    changes: [{ kind: "limit", ceiling: ceiling(), due: due() }],
  });
});

describe("limits", () => {
  const limitsOf = (given: Partial<CeilingsInput>) => decideCeilings(input(given)).ceilings.map(({ limits }) => limits);
  test.each<[string, Partial<CeilingsInput>, object[]]>([
    [
      "let at least one request in",
      { demandOf: () => ({ requests: 0.01, tokens: 0.5 }) },
      [{ requests: 1, tokens: 1 }],
    ],
    [
      "are shares of the tenant's own ones where nothing was asked for",
      { demandOf: () => ({ requests: 0, tokens: 0 }), ownLimitsOf: () => ({ requests: 60, tokens: null }) },
      [{ requests: 30, tokens: null }],
    ],
    ["are none where nothing is known", { demandOf: () => ({ requests: 0, tokens: 0 }) }, []],
    [
      "follow the strictest step",
      { due: [due({ limitPercent: 80 }), due({ limitPercent: 10 }), due()] },
      [{ requests: 3, tokens: 60 }],
    ],
    [
      "are each budget's own",
      { due: [due(), due({ budget: "b", limitPercent: 100 })] },
      [
        { requests: 13, tokens: 300 },
        { requests: 25, tokens: 600 },
      ],
    ],
    ["are none while the fleet is frozen", { isFrozen: true }, []],
    ["are none for tenants that the controller does not know", { isTenant: () => false }, []],
  ])("%s", (_, given, expected) => {
    expect(limitsOf(given)).toEqual(expected as never);
  });
});

test.each<[string, Partial<CeilingsInput>, ReturnType<typeof kinds>]>([
  ["as before", {}, []],
  ["a stricter step is due", { due: [due(), due({ limitPercent: 20, atPercent: 120 })] }, ["limit"]],
  ["a stricter step is due in a frozen fleet", { due: [due({ limitPercent: 20 })], isFrozen: true }, []],
  ["a laxer step replaced it in a frozen fleet", { due: [due({ limitPercent: 80 })], isFrozen: true }, ["limit"]],
  ["the step is not due any more", { due: [] }, ["not-due"]],
  ["the step is not due any more in a frozen fleet", { due: [], isFrozen: true }, ["not-due"]],
  ["the period is over", { due: [], nowMs: dayMs }, ["period-over"]],
  [
    "the period is over, and the step of the new one is due",
    { due: [due({ period: { startMs: dayMs, endMs: 2 * dayMs } })], nowMs: dayMs },
    ["period-over", "limit"],
  ],
  ["a state of the old period is all there is", { nowMs: dayMs }, ["period-over"]],
  ["the budget is another tenant's now", { due: [due({ tenant: "blue" })] }, ["not-due", "limit"]],
  ["the tenant is gone", { isTenant: () => false }, ["tenant-gone"]],
])("a limit that holds, when %s", (_, given, expected) => {
  expect(kinds({ held: [ceiling()], ...given })).toEqual(expected);
});

test("a limit that changes is not taken of what the first left", () => {
  const demandOf = () => ({ requests: 13, tokens: 300 });
  const { ceilings } = decideCeilings(
    input({ held: [ceiling()], due: [due({ limitPercent: 20 })], nowMs: 2000, demandOf }),
  );
  expect(ceilings).toEqual([ceiling({ limitPercent: 20, limits: { requests: 5, tokens: 120 } })]);
});

test.each([
  [{ requests: 20, tokens: null }, 0],
  [{ requests: 10, tokens: null }, (600 * 0.5) / 900],
  [{ requests: null, tokens: 50 }, (600 * 0.75) / 900],
  [{ requests: 10, tokens: 50 }, (600 * 0.75) / 900],
  [{ requests: null, tokens: null }, 0],
])("with %j the share %p of requests is refused", (limits, share) => {
  const hours = [
    { requests: 1200 / 2, tokens: 6000, minutes: 30 },
    { requests: 300, tokens: 300, minutes: 60 },
    { requests: 0, tokens: 0, minutes: 60 },
  ];
  expect(refusedShare(hours, limits)).toBeCloseTo(share, 12);
  expect(refusedShare([], limits)).toBe(0);
});

test("changes explain themselves, with what they do to requests", () => {
  const limited = { kind: "limit" as const, ceiling: ceiling(), due: due() };
  expect(explainCeiling(limited, 0.384)).toBe(
    "budget shop of tenant red is 104 % spent (limit-50 at 100 %): until 1970-01-02T00:00Z it gets at most 13 requests and 300 tokens per minute, " +
      "50 % of 24.2 requests and 600 tokens per minute before. Effect: if requests stay as in the last 24 hours, at least 38.4 % are refused " +
      "(429, not counted against the SLO); other tenants are not affected.",
  );
  expect(explainCeiling(limited, 0)).toContain(
    "Effect: requests stay within the limit if they stay as in the last 24 hours; any more are refused;",
  );
  const lift = (cause: "period-over" | "not-due" | "tenant-gone") =>
    explainCeiling({ kind: "lift", ceiling: ceiling(), cause }, 0);
  expect(lift("period-over")).toBe(
    "tenant red is no longer limited by budget shop to 13 requests and 300 tokens per minute: the budget's period has ended",
  );
  expect(lift("not-due")).toEndWith("the budget was raised, changed or removed");
  // Its name may be erased just now.
  expect(lift("tenant-gone")).not.toMatch(/\b(red|shop)\b/);
});
