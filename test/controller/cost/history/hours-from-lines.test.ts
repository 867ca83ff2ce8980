import { expect, test } from "bun:test";
import { createHoursFromLines, type HoursFromLinesParts } from "#controller/cost/history/hours-from-lines.ts";
import type { DeviceCosts } from "#controller/store/costs/cost-rows.ts";
import { hourMs } from "#platform/time.ts";

const nowMs = Date.UTC(2026, 10, 30, 12);
const oldestMs = nowMs - 100 * hourMs;
const starts = Array.from({ length: 100 }, (_, index) => oldestMs + index * hourMs);

/** Hours of a store with a device in each of a hundred hours. */
function historyOf(maxKeptHours: number) {
  const asked: number[] = [];
  const device = (startMs: number): DeviceCosts => ({
    ...{ region: "eu", agentId: "thor-1", board: "", energy: 1n, owning: 1n, startMs },
    ...{ energyKwh: 1, computeMs: 0, observedMs: hourMs, measuredMs: hourMs },
  });
  const store = {
    async rollUps() {
      return {
        ...{ agentDays: new Set<number>(), fleetDays: new Set<number>(), staleHours: new Set<number>() },
        ...{ oldestMs, oldestHourMs: oldestMs, oldestMinuteMs: oldestMs },
      };
    },
    async deviceCosts({ startMs }: { startMs: number }) {
      asked.push(startMs);
      return starts.includes(startMs) ? [device(startMs)] : [];
    },
    workCosts: async () => [],
  } as unknown as HoursFromLinesParts["store"];
  const ledger = { settle: async () => 0 };
  return { asked, history: createHoursFromLines({ store, ledger, nowMs: () => nowMs, maxKeptHours }) };
}

test("a window that begins decades ago reads the time of the records, and that once", async () => {
  const { asked, history } = historyOf(1000);
  expect((await history.hours(0, 8.64e15)).map(({ startMs }) => startMs)).toEqual(starts);
  expect(Math.min(...asked)).toBe(oldestMs - 24 * hourMs);
  const before = asked.length;
  expect(await history.hours(0, 8.64e15)).toHaveLength(100);
  expect(asked).toHaveLength(before);
});

test("hours of a window that is longer than what is kept are all told, whatever was asked before", async () => {
  const { history } = historyOf(10);
  expect(await history.hours(nowMs - 5 * hourMs, nowMs)).toHaveLength(5);
  expect((await history.hours(oldestMs, nowMs)).map(({ startMs }) => startMs)).toEqual(starts);
});

test("hours are all told while another query has them forgotten", async () => {
  const { history } = historyOf(10);
  const found = await Promise.all([
    history.hours(oldestMs, nowMs),
    history.hours(oldestMs + 50 * hourMs, nowMs),
    history.hours(oldestMs, oldestMs + 50 * hourMs),
  ]);
  expect(found.map(({ length }) => length)).toEqual([100, 50, 50]);
});
