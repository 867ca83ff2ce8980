import { describe, expect, test } from "bun:test";
import { createFleetTraffic } from "#controller/fleet/traffic/fleet-traffic.ts";
import { Housekeeping } from "#controller/housekeeping.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { aMinute } from "../fakes/builders.ts";
import { createMemoryStore } from "./memory-store.ts";

const aNote = {
  atMs: 0,
  kind: "note",
  rule: "r",
  reason: "",
  agents: [],
  inputs: {},
  outcome: { activated: [], stoodBy: [], skipped: [] },
} as const;

function house(nowMs: () => number, given: { maxBytes?: number } = {}) {
  const store = createMemoryStore();
  const traffic = createFleetTraffic();
  const prunedMs: number[] = [];
  const days = {
    minuteDays: 14,
    decisionDays: 90,
    auditDays: 400,
    receiptDays: 1095,
    serviceDays: 400,
    costHourDays: 35,
    costDays: 400,
  };
  const retention = { ...days, mostDecisions: 3, maxBytes: 2 ** 40, ...given };
  const prunedJobsMs: number[] = [];
  const jobs = { prune: async (beforeMs: number) => prunedJobsMs.push(beforeMs) };
  const accuracy = { prune: (beforeMs: number) => void prunedMs.push(beforeMs) };
  const log = createLogger("test", "silent");
  return {
    store,
    traffic,
    prunedMs,
    prunedJobsMs,
    housekeeping: new Housekeeping({
      store,
      traffic,
      accuracy,
      jobs,
      expiry: { run: async () => 0 },
      retention,
      nowMs,
      log,
    }),
  };
}

describe("housekeeping", () => {
  test("removes what is older than its retention, and no more", async () => {
    const nowMs = 100 * dayMs;
    const { store, traffic, prunedMs, prunedJobsMs, housekeeping } = house(() => nowMs);
    for (const [index, daysAgo] of [14, 14.5, 1].entries()) {
      const minute = aMinute({ seq: index + 1, minuteStartMs: nowMs - daysAgo * dayMs });
      await store.insertMinute(minute);
      await store.setAside(minute, "why", nowMs - daysAgo * dayMs, 9);
    }
    traffic.add(nowMs - 8 * dayMs, 60);
    await store.insertDecision({ ...aNote, kind: "scale-out", atMs: nowMs - 91 * dayMs });
    await store.insertDecision({ ...aNote, kind: "scale-out", atMs: nowMs - 90 * dayMs });
    await housekeeping.clean();
    expect((await store.fleetMinutes(0, nowMs)).map(({ minuteStartMs }) => (nowMs - minuteStartMs) / dayMs)).toEqual([
      14, 1,
    ]);
    expect((await store.listSetAside("thor-1", 9)).map(({ seq }) => seq)).toEqual([3, 1]);
    expect(traffic.history(nowMs - 7 * dayMs)).toEqual([]);
    // Outcomes of forecasts are kept for the longest window of their figures.
    expect(prunedMs).toEqual([nowMs - 30 * dayMs]);
    expect(prunedJobsMs).toEqual([nowMs - 1095 * dayMs]);
    expect((await store.decisions({ limit: 9 })).map(({ atMs }) => (nowMs - atMs) / dayMs)).toEqual([90]);
  });

  test("keeps the newest decisions, and notes beside them", async () => {
    const nowMs = dayMs;
    const { store, housekeeping } = house(() => nowMs);
    for (let each = 0; each < 5; each += 1) await store.insertDecision({ ...aNote, kind: "scale-out", atMs: nowMs });
    for (let each = 0; each < 1001; each += 1) await store.insertDecision({ ...aNote, atMs: nowMs });
    await housekeeping.clean();
    expect((await store.decisions({ limit: 9, kind: "scale-out" })).map(({ id }) => id)).toEqual([5, 4, 3]);
    expect(await store.decisions({ limit: 9999, kind: "note" })).toHaveLength(1000);
  });

  test("counts the minutes removed for the store's size, until a day after the last", async () => {
    let nowMs = 0;
    const { store, housekeeping } = house(() => nowMs, { maxBytes: 1 });
    const fill = async (minutes: number) => {
      for (let seq = 1; seq <= minutes; seq += 1) await store.insertMinute(aMinute({ seq }));
    };
    await housekeeping.trim();
    expect(housekeeping.recentlyTrimmed(nowMs)).toBe(0);
    await fill(3);
    await housekeeping.trim();
    nowMs = dayMs;
    await fill(2);
    await housekeeping.clean();
    expect([nowMs, 2 * dayMs, 2 * dayMs + 1].map((atMs) => housekeeping.recentlyTrimmed(atMs))).toEqual([5, 5, 0]);
    nowMs = 2 * dayMs;
    await housekeeping.trim();
    expect(housekeeping.recentlyTrimmed(2 * dayMs + 1)).toBe(0);
    nowMs = 3 * dayMs;
    await fill(1);
    await housekeeping.trim();
    expect(housekeeping.recentlyTrimmed(nowMs)).toBe(1);
  });
});
