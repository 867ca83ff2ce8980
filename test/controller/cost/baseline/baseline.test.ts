import { expect, test } from "bun:test";
import { Baselines } from "#controller/cost/baseline/baselines.ts";
import { decideComparison, type Period } from "#controller/cost/baseline/decide-comparison.ts";
import { explainComparison } from "#controller/cost/baseline/explain-comparison.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { aCell, anHour, historyOf } from "../history-of.ts";

const period = (days: number, usd: number, requests: number, parts: Record<string, number> = {}): Period => ({
  ...{ days, usd, requests, parts },
});

test.each<[string, Period, Period, object, string]>([
  [
    "the reference bill of two regions: 8,000 to 5,550 $ for 300 M requests",
    ...([period(30, 8000, 300e6), period(30, 5550, 300e6)] as const),
    { savedShare: 0.30625, yearlySavedAtSameRequestsUsd: expect.closeTo((2450 / 30) * 365, 6) },
    "a day costs 185.00 $ instead of 266.67 $ (30.6 % less), a million requests 18.50 $ instead of 26.67 $",
  ],
  [
    "fewer requests, each dearer",
    ...([period(10, 100, 10e6), period(5, 25, 2e6)] as const),
    { savedUsdPerDay: 5, yearlySavedAtSameRequestsUsd: expect.closeTo(-365, 6) },
    "a day costs 5.00 $ instead of 10.00 $ (50.0 % less), a million requests 12.50 $ instead of 10.00 $: less was spent as there were fewer requests, each costs more",
  ],
  [
    "no requests before",
    ...([period(1, 1, 0), period(1, 2, 5)] as const),
    { beforeUsdPerMillion: null, yearlySavedAtSameRequestsUsd: null },
    "a day costs 2.00 $ instead of 1.00 $ (100.0 % more); without requests on both sides it is not known whether they cost less",
  ],
  [
    "nothing on either side",
    ...([period(0, 0, 0), period(0, 0, 0)] as const),
    { beforeUsdPerDay: 0, savedShare: null },
    "a day costs 0.00 $ instead of 0.00 $; without requests on both sides it is not known whether they cost less",
  ],
])("%s", (_name, before, after, expected, reason) => {
  const found = decideComparison(before, after);
  expect(found).toMatchObject(expected);
  expect(explainComparison(found)).toBe(reason);
});

test("parts are compared by day, the largest change first; new and gone ones count", () => {
  const found = decideComparison(period(2, 10, 1, { a: 4, gone: 6 }), period(1, 9, 1, { a: 3, new: 6 }));
  expect(found.parts.map(({ name, savedUsdPerDay }) => [name, savedUsdPerDay])).toEqual([
    ["new", -6],
    ["gone", 3],
    ["a", -1],
  ]);
});

test("a baseline outlives its records; one without any is refused", async () => {
  const store = createMemoryStore();
  const start = Date.UTC(2026, 10, 1);
  const hours = Array.from({ length: 48 }, (_, hour) =>
    anHour(start + hour * hourMs, [aCell(hour < 24 ? 2 : 1), aCell(0.5, { tenant: null, model: null, requests: 0 })]),
  );
  const window = { startMs: start, endMs: start + dayMs };
  const kept = await new Baselines({ store, history: historyOf(hours) }).set("before", window);
  expect(kept).toMatchObject({ days: 1, usd: 60, requests: 2400, parts: { tenant: { shop: 48, "": 12 } } });
  const later = new Baselines({ store, history: historyOf(hours.slice(24)) });
  const found = await later.compare("before", { startMs: start + dayMs, endMs: start + 2 * dayMs }, "tenant");
  expect(found).toMatchObject({ beforeUsdPerDay: 60, afterUsdPerDay: 36, savedShare: 0.4 });
  await expect(later.set("x", window)).rejects.toThrow("window: expected a time with records, got none");
  await expect(later.compare("y", window, "tenant")).rejects.toThrow('there is no baseline "y"');
  expect(await later.eraseTenant("shop")).toBe(1);
  expect(await later.eraseTenant("shop")).toBe(0);
  expect((await later.list())[0]?.parts.tenant).toEqual({ "(erased)": 48, "": 12 });
  await later.remove("before");
  await expect(later.remove("before")).rejects.toThrow("there is no baseline");
});
