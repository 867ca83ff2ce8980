import { describe, expect, test } from "bun:test";
import {
  againstBefore,
  type BudgetState,
  budgetOfStep,
  filterText,
  groupName,
  intervalText,
  monthOf,
  perMillion,
  shownTotal,
  stackOf,
  stateOf,
  type View,
  viewPath,
} from "#controller/dashboard/page/cost/cost-data.ts";

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 10, 1);
const group = (kind: "group" | "other" | "idle", name: string, steps: readonly (number | null)[]) => ({
  ...{ kind, name, steps, requests: 10, tokens: 70, energyKwh: 0.1 },
  usd: steps.reduce<number>((sum, usd) => sum + (usd ?? 0), 0),
});
const view = (change: Partial<View> = {}): View => ({
  ...{ nowMs: startMs + 2.5 * dayMs, currency: "USD", window: { startMs, endMs: startMs + 3 * dayMs }, by: "tenant" },
  ...{ stepMs: dayMs, stepStarts: [0, 1, 2].map((day) => startMs + day * dayMs), totalUsd: 15, requests: 40 },
  ...{ previousUsd: 10, others: 4, warning: null },
  groups: [
    group("group", "shop", [1, 2, 3]),
    group("group", "", [1, 1, 1]),
    group("other", "", [1, 0, 1]),
    group("idle", "", [2, 1, 1]),
  ],
  ...change,
});
const stateAt = (query: string) => stateOf(new URLSearchParams(query));

describe("the address holds the view", () => {
  test.each([
    ["", "/api/v1/cost/view?window=7d&by=tenant&top=6"],
    ["window=today&by=agent", "/api/v1/cost/view?window=today&by=agent&top=6"],
    ["window=1y&by=pod", "/api/v1/cost/view?window=7d&by=tenant&top=6"],
    [
      "from=2026-11-01&until=2026-11-02",
      `/api/v1/cost/view?window=${startMs}%2C${startMs + 2 * dayMs}&by=tenant&top=6`,
    ],
    ["from=2026-11-03&until=2026-11-02", "/api/v1/cost/view?window=7d&by=tenant&top=6"],
    ["from=2026-13-45&until=2026-13-46", "/api/v1/cost/view?window=7d&by=tenant&top=6"],
    [
      "tenant=shop+one&region=eu",
      "/api/v1/cost/view?window=7d&by=tenant&top=6&filter=tenant%3A%22shop%20one%22%2Bregion%3A%22eu%22",
    ],
  ])("%p asks for %p", (query, path) => expect(viewPath(stateAt(query))).toBe(path));

  test("the table as CSV has more groups than colours", () => {
    expect(viewPath(stateAt("by=model"), "csv")).toBe("/api/v1/cost/view?window=7d&by=model&top=100&format=csv");
  });

  test("a quote in a name can't end the filter's text", () => {
    expect(filterText(stateAt('tenant=a"%2Bregion:"b').filters)).toBe('tenant:"a+region:b"');
    expect(stateAt("idle=hidden").hidesIdle).toBe(true);
  });
});

test("bars stand in the order of cost, idle grey on top, others apart; the budget is a line", () => {
  const { times, series } = stackOf(view(), false, 4);
  expect(times).toEqual([...view().stepStarts, view().window.endMs]);
  expect(series.map(({ values }) => values.at(-1))).toEqual([null, null, null, null, 4]);
  expect(stackOf(view(), false, null).times).toEqual(view().stepStarts);
  expect(series.map(({ label, color, kind = "line" }) => [label, color, kind])).toEqual([
    ["shop", "--c1", "bars"],
    ["(none)", "--c2", "bars"],
    ["4 others", "--c-other", "bars"],
    ["idle", "--c-idle", "bars"],
    ["budget", "--c-limit", "line"],
  ]);
  expect(stackOf(view(), true, null).series.map(({ label }) => label)).toEqual(["shop", "(none)", "4 others"]);
  expect(groupName({ kind: "group", name: "" }, 0)).toBe("(none)");
});

test("sums, prices and comparisons; what is not known is null, never 0", () => {
  expect(shownTotal(view(), false)).toBe(15);
  expect(shownTotal(view(), true)).toBe(11);
  expect(againstBefore(view())).toBeCloseTo(0.5, 12);
  expect(againstBefore(view({ previousUsd: null }))).toBeNull();
  expect(againstBefore(view({ previousUsd: 0 }))).toBeNull();
  expect(perMillion(2, 0)).toBeNull();
  expect(perMillion(2, 4_000_000)).toBe(0.5);
});

const budget = (period: "daily" | "weekly" | "monthly", amountUsd: number, kind: "fleet" | "tenant" = "fleet") =>
  ({
    budget: { id: period, period, amountUsd, scope: { kind, name: kind === "fleet" ? null : "shop" } },
  }) as BudgetState;

test.each<[readonly BudgetState[], number | null]>([
  [[], null],
  [[budget("daily", 8, "tenant")], null],
  [[budget("daily", 8)], 8],
  [[budget("weekly", 70)], 10],
  [[budget("monthly", 365.25)], 12],
  [[budget("monthly", 365.25), budget("daily", 8)], 8],
])("the budget of a day of %j is %p", (budgets, usd) => {
  const found = budgetOfStep(budgets, dayMs);
  if (usd === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(usd, 9);
});

describe("the month", () => {
  const rest = { expectedUsd: 20, lowUsd: 10, highUsd: 30 };
  const endMs = startMs + 30 * dayMs;

  test("adds up what was spent, then the projection with its interval to the end", () => {
    const { times, series, bands } = monthOf(view(), { rest }, endMs, 40);
    expect(times).toEqual([startMs, startMs + dayMs, startMs + 2 * dayMs, startMs + 2.5 * dayMs, endMs]);
    expect(series.map(({ label, values }) => [label, values])).toEqual([
      ["spent", [0, 5, 9, 15, null]],
      ["projected", [null, null, null, 15, 35]],
      ["lower end", [null, null, null, 15, 25]],
      ["upper end", [null, null, null, 15, 45]],
      ["budget", [40, 40, 40, 40, 40]],
    ]);
    expect(bands).toEqual([{ upper: 3, lower: 2, color: "--c2" }]);
  });

  test("begins with the first day on record: what was before is not known", () => {
    const groups = [group("group", "shop", [null, null, 3])];
    const { times, series } = monthOf(view({ groups }), { rest }, endMs, null);
    expect(times).toEqual([startMs + 2 * dayMs, startMs + 2.5 * dayMs, endMs]);
    expect(series[0]?.values).toEqual([0, 3, null]);
    expect(series).toHaveLength(4);
  });

  test("without any record there is only a projection", () => {
    const groups = [group("group", "shop", [null, null, null])];
    const { times, series } = monthOf(view({ groups }), { rest }, endMs, null);
    expect(times).toEqual([startMs + 2.5 * dayMs, endMs]);
    expect(series[1]?.values).toEqual([0, 20]);
  });

  test("without any interval nothing is projected; the first hours project already", () => {
    const unknown = { expectedUsd: 0, lowUsd: null, highUsd: null };
    const { series, bands } = monthOf(view(), { rest: unknown }, endMs, null);
    expect(series.map(({ label }) => label)).toEqual(["spent", "projected"]);
    expect(series[1]?.values.every((value) => value === null)).toBe(true);
    expect(bands).toBeUndefined();
    expect(monthOf(view(), { rest: { expectedUsd: 9, lowUsd: 3, highUsd: 20 } }, endMs, null).series).toHaveLength(4);
  });
});

test.each([
  [null, null, "nothing on record tells how sure"],
  [1.4, 1.52, "$1.40 to $1.52 with 80 %"],
  [1.4601, 1.4602, "nearly all of it is spent"],
])("a projection of %p to %p dollars says how sure it is", (lowUsd, highUsd, text) => {
  expect(intervalText({ lowUsd, highUsd })).toBe(text);
});
