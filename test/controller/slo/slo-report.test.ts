import { describe, expect, test } from "bun:test";
import { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { reportSlo } from "#controller/slo/slo-report.ts";
import { SloReports } from "#controller/slo/slo-reports.ts";
import type { ServiceSums } from "#controller/store/store.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";

const config = parseConfig(
  SloConfig,
  { availability: 0.99, models: { large: { availability: 0.9, p95Ms: 5000 } } },
  "",
);

/** Sums in which requests took these times, so many each. */
function sums(latencies: Record<number, number>, given: Partial<ServiceSums> = {}): ServiceSums {
  const latencyCounts = emptyLatencyCounts();
  for (const [ms, count] of Object.entries(latencies)) latencyCounts[latencyBucket(Number(ms))]! += count;
  const requests = Object.values(latencies).reduce((sum, count) => sum + count, 0);
  return {
    ...{ region: "hall", model: "mini", requests, queue: 0, deadline: 0, standby: 0, rateLimit: 0, error: 0 },
    latencyCounts,
    ...given,
  };
}
const report = (...all: ServiceSums[]) => reportSlo("24h", all, config);

describe("what users were given", () => {
  test("nothing on record", () => {
    expect(report()).toEqual([
      {
        ...{ window: "24h", scope: "fleet", name: "", objective: { availability: 0.99, p95Ms: 1000 }, requests: 0 },
        refused: { queue: 0, deadline: 0, error: 0, rateLimit: 0, standby: 0 },
        ...{ availability: null, errorRate: null, budgetLeft: null, burnRate: null },
        ...{ p95Ms: null, withinP95: null, latencyBurnRate: null },
      },
    ]);
  });

  test.each<[string, Partial<ServiceSums>, number, number, number]>([
    ["all answered", {}, 1000, 1, 1],
    ["half of the budget is used", { queue: 2, deadline: 2, error: 1, requests: 995 }, 1000, 0.995, 0.5],
    ["all of it", { queue: 10, requests: 990 }, 1000, 0.99, 0],
    ["more than all", { deadline: 100, requests: 900 }, 1000, 0.9, -9],
    ["all refused", { error: 5, requests: 0 }, 5, 0, -99],
    ["quotas and standby count neither for nor against", { rateLimit: 500, standby: 500 }, 1000, 1, 1],
  ])("%s", (_name, given, requests, availability, budgetLeft) => {
    const [fleet] = report(sums({ 20: 1000 }, given));
    expect(fleet).toMatchObject({ requests });
    expect(fleet?.availability).toBeCloseTo(availability, 9);
    expect(fleet?.errorRate).toBeCloseTo(1 - availability, 9);
    expect(fleet?.budgetLeft).toBeCloseTo(budgetLeft, 9);
    expect(fleet?.burnRate).toBeCloseTo(1 - budgetLeft, 9);
  });

  test("what was refused counts by its reason, over all regions", () => {
    const given = { queue: 1, deadline: 2, standby: 3, rateLimit: 4, error: 5 };
    const [fleet] = report(sums({ 20: 1 }, given), sums({ 20: 1 }, { ...given, region: "yard" }));
    expect(fleet?.refused).toEqual({ queue: 2, deadline: 4, standby: 6, rateLimit: 8, error: 10 });
  });

  test.each<[string, Record<number, number>, number, number]>([
    ["all in time", { 20: 100 }, 1, 0],
    ["just as many as may be slower", { 20: 95, 2500: 5 }, 0.95, 1],
    ["twice as many", { 20: 90, 9000: 10 }, 0.9, 2],
  ])("latency: %s", (_name, latencies, within, burn) => {
    const [fleet] = report(sums(latencies));
    expect(fleet?.withinP95).toBeCloseTo(within, 9);
    expect(fleet?.latencyBurnRate).toBeCloseTo(burn, 9);
  });

  test("by region and model, each with its own objective", () => {
    const rows = report(
      sums({ 20: 90 }, { queue: 10 }),
      sums({ 2500: 50 }, { region: "yard", model: "large", error: 50 }),
      sums({ 20: 10 }, { region: "yard" }),
      sums({}, { region: "yard", model: "", error: 3 }),
    );
    expect(rows.map(({ scope, name, requests }) => `${scope} ${name} ${requests}`)).toEqual([
      ...["fleet  213", "region hall 100", "region yard 113", "model  3", "model large 100", "model mini 110"],
    ]);
    expect(rows[4]).toMatchObject({ objective: { availability: 0.9, p95Ms: 5000 }, withinP95: 1 });
    expect(rows[4]?.burnRate).toBeCloseTo(5, 9);
    expect(rows[1]?.p95Ms).toBeLessThanOrEqual(20);
  });

  test("no latency promised", () => {
    const [fleet] = reportSlo("1h", [sums({ 9000: 5 })], { ...config, p95Ms: null });
    expect(fleet).toMatchObject({ withinP95: null, latencyBurnRate: null, p95Ms: 5000 });
  });
});

describe("reports from the store", () => {
  let nowMs = 100 * 86_400_000;
  const asked: string[] = [];
  const store = {
    service: async (step: string, startMs: number) => {
      asked.push(`${step} ${(nowMs - startMs) / 3_600_000} h`);
      if (fails) throw new Error("disk");
      return [sums({ 20: 1 })];
    },
  };
  let fails = true;

  test("what can't be read is asked for again, what could is read twice a minute", async () => {
    const reports = new SloReports(store, config, () => nowMs);
    expect(reports.rows()).rejects.toThrow("disk");
    await Bun.sleep(0);
    fails = false;
    asked.length = 0;
    const rows = await reports.rows();
    expect(rows.filter(({ scope }) => scope === "fleet").map(({ window }) => window)).toEqual(["1h", "24h", "30d"]);
    nowMs += 29_999;
    expect(await reports.rows()).toBe(rows);
    expect(asked).toEqual(["five-minutes 1 h", "five-minutes 24 h", "hour 720 h"]);
    nowMs += 1;
    await reports.rows();
    expect(asked).toHaveLength(6);
  });
});
