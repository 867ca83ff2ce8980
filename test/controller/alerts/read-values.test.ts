import { expect, test } from "bun:test";
import { readBudgets, readCosts } from "#controller/alerts/read-costs.ts";
import { readService } from "#controller/alerts/read-service.ts";
import type { CostCell, CostHistory, CostHour } from "#controller/cost/history/cost-history.ts";
import { moneyOf } from "#controller/cost/money/money.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { aMinute, anAgent, aPower } from "../../fakes/builders.ts";

const cell = (usd: number, given: Partial<CostCell> = {}): CostCell => ({
  ...{ region: "eu", agentId: "thor-1", tenant: "shop", model: "mini", device: moneyOf(usd), offers: 0n },
  ...{ requests: 1, tokens: 1, energyKwh: 0, computeMs: 0, ...given },
});
const hour = (startMs: number, cells: readonly CostCell[]): CostHour => ({
  ...{ startMs, cells, observedMinutes: 60, missingEnergyMinutes: 0 },
});
const historyOf = (all: readonly CostHour[]): CostHistory => ({
  hours: async (startMs, endMs) => all.filter(({ startMs: at }) => at >= startMs && at < endMs),
});
const find = (values: readonly { rule: string; value: number | null; detail?: string }[], rule: string) =>
  values.find((each) => each.rule === rule);

test("costs that alerts watch: a day, a month at this hour's rate, and this hour beside the day before's", async () => {
  const nowMs = 30 * hourMs + 5 * minuteMs;
  const hours = Array.from({ length: 30 }, (_, index) =>
    hour(index * hourMs, index === 29 ? [cell(2), cell(3, { tenant: "ops" })] : [cell(2)]),
  );
  const values = await readCosts(historyOf(hours), nowMs);
  // The hours that start within the newest 24: 7 to 29.
  expect(find(values, "daily-cost")?.value).toBeCloseTo(22 * 2 + 5, 9);
  expect(find(values, "monthly-projection")?.value).toBe(5 * 730);
  expect(find(values, "cost-spike")).toMatchObject({
    value: 150,
    detail: expect.stringContaining("3.00 $ more an hour"),
  });
});

test("without records nothing is known", async () => {
  const values = await readCosts(historyOf([]), 100 * hourMs);
  expect(values.map(({ value }) => value)).toEqual([null, null, null]);
});

test("figures of service come from the agents that are online", () => {
  const nowMs = 10 * minuteMs;
  const minute = aMinute({ minuteStartMs: 9 * minuteMs, requests: 300, power: aPower({ gpuUtilization: 0.25 }) });
  const utilization = { cpu: 0.1, gpu: 0.2, memory: 0.5, processCpu: 0.1, processMemory: 0.25, memoryBytes: 64e9 };
  const agent = { ...anAgent({ nowMs }), recent: [{ ...minute, utilization }] };
  const silent = { ...anAgent({ agentId: "thor-2", nowMs: 0 }), recent: [minute] };
  const read = (forecastPeakQps: number | null) =>
    readService([agent, silent], { forecastPeakQps, throughput: 50 }, nowMs, 3 * minuteMs);
  expect(find(read(null), "gpu-utilization")?.value).toBe(25);
  expect(find(read(null), "gpu-memory")?.value).toBe(16);
  expect(find(read(null), "error-rate")?.value).toBe(0);
  expect(find(read(null), "latency-p95")?.value).toBeGreaterThan(0);
  // Little traffic is wrong only where more of it is expected.
  expect(find(read(10), "throughput")?.value).toBe(50);
  expect(find(read(100), "throughput")).toMatchObject({
    value: 5,
    detail: "the forecast expects up to 100 texts/s",
  });
  const failing = { ...minute, traffic: { ...minute.traffic, errors: 100 } };
  const failed = readService(
    [{ ...agent, recent: [failing] }],
    { forecastPeakQps: null, throughput: 50 },
    nowMs,
    180_000,
  );
  expect(find(failed, "error-rate")?.value).toBe(25);
});

test("each share of a budget is an alert of its own, due at the share itself", () => {
  const state = {
    budget: {
      ...{ id: "b", scope: { kind: "tenant" as const, name: "shop" }, period: "daily" as const, amountUsd: 100 },
      actions: [
        { atPercent: 80, action: "notify" as const },
        { atPercent: 100, action: "freeze-offers" as const },
        { atPercent: 100, action: "limit" as const, limitPercent: 50 },
      ],
    },
    ...{ period: { startMs: 0, endMs: 1 }, status: "within" as const, spentUsd: 80, projectedUsd: 90, usedPercent: 80 },
    ...{ projectedPercent: 90, spentByMs: null, reached: [] },
  };
  const [at80, at100, limit] = readBudgets([state]);
  expect(limit?.labels).toMatchObject({ at: "100 %", action: "limit-50" });
  expect(at80).toMatchObject({ labels: { budget: "b", at: "80 %", tenant: "shop" }, severity: "warning" });
  expect(at80?.value).toBeGreaterThan(80);
  expect(at100).toMatchObject({ severity: "critical", value: 80, threshold: 100 });
});
