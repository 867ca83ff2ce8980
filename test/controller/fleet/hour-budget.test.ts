import { beforeEach, describe, expect, test } from "bun:test";
import { createHourBudget, type HourBudget, hourLimits } from "#controller/fleet/hour-budget.ts";
import type { HourUse } from "#controller/store/store.ts";
import { hourMs } from "#platform/time.ts";
import { aMinute, aPower } from "../../fakes/builders.ts";

const nothing: HourUse = { rows: 0, bytes: 0, observedMs: 0, measuredMs: 0 };

let used: HourUse;
let asked: [string, number][];
let budget: HourBudget;
beforeEach(() => {
  used = nothing;
  asked = [];
  const store = {
    hourUse: async (agentId: string, hourStartMs: number) => {
      asked.push([agentId, hourStartMs]);
      return used;
    },
  };
  budget = createHourBudget(store, { rows: 3, bytes: 100, observedMs: 90_000, measuredMs: 90_000 });
});
const minute = (given: Parameters<typeof aMinute>[0] = {}) =>
  aMinute({ minuteStartMs: hourMs, observedMs: 1000, power: aPower({ measuredMs: 1000 }), ...given });

test("the limits of an hour: 120 rows, 6 MiB, 75 minutes", () => {
  expect(hourLimits).toEqual({ rows: 120, bytes: 6_291_456, observedMs: 4_500_000, measuredMs: 4_500_000 });
});

describe("excess", () => {
  test.each<[string, Partial<HourUse>, Parameters<typeof minute>[0], number, string | null]>([
    ["within all limits", {}, {}, 100, null],
    ["the last row", { rows: 2 }, {}, 1, null],
    ["one row more", { rows: 3 }, {}, 1, "rows 4, at most 3"],
    ["the last byte", { bytes: 99 }, {}, 1, null],
    ["one byte more", { bytes: 100 }, {}, 1, "bytes 101, at most 100"],
    ["observed up to the limit", { observedMs: 89_000 }, {}, 1, null],
    ["observed for more", { observedMs: 89_001 }, {}, 1, "observedMs 90001, at most 90000"],
    ["measured up to the limit", { measuredMs: 89_000 }, {}, 1, null],
    ["measured for more", { measuredMs: 89_001 }, {}, 1, "measuredMs 90001, at most 90000"],
    ["nothing measured", { measuredMs: 90_000 }, { power: null }, 1, null],
    ["several at once", { rows: 3, bytes: 100 }, {}, 1, "rows 4, at most 3"],
  ])("%s", async (_name, before, given, bytes, excess) => {
    used = { ...nothing, ...before };
    const reason = excess === null ? null : `more than an agent can report for one hour: ${excess}`;
    expect((await budget.look(minute(given), bytes)).excess).toBe(reason);
  });
});

test("only what is spent counts, and the store is asked once an hour", async () => {
  for (let each = 0; each < 5; each += 1) await budget.look(minute(), 1);
  for (let each = 0; each < 3; each += 1) (await budget.look(minute({ minuteStartMs: 2 * hourMs - 1 }), 1)).spend();
  expect((await budget.look(minute(), 1)).excess).toContain("rows 4");
  expect(asked).toEqual([["thor-1", hourMs]]);
});

test("a minute without power measures nothing", async () => {
  used = { ...nothing, measuredMs: 89_000 };
  (await budget.look(minute({ power: null }), 1)).spend();
  expect((await budget.look(minute(), 1)).excess).toBeNull();
  expect((await budget.look(minute({ power: aPower({ measuredMs: 1001 }) }), 1)).excess).toContain("measuredMs 90001");
});

test("each agent and each hour has its own budget", async () => {
  for (let each = 0; each < 3; each += 1) (await budget.look(minute(), 1)).spend();
  expect((await budget.look(minute({ agentId: "b" }), 1)).excess).toBeNull();
  expect((await budget.look(minute({ minuteStartMs: 2 * hourMs }), 1)).excess).toBeNull();
  expect(asked).toEqual([
    ["thor-1", hourMs],
    ["b", hourMs],
    ["thor-1", 2 * hourMs],
  ]);
});

test("a forgotten agent's hour is read from the store again", async () => {
  await budget.look(minute(), 1);
  budget.forget("thor-1");
  await budget.look(minute(), 1);
  expect(asked).toHaveLength(2);
});
