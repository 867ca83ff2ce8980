import { describe, expect, test } from "bun:test";
import { type AgentForecast, measureForecasts } from "#cli/demo/forecast-accuracy.ts";
import { buildReport, type ReportInput, renderReport } from "#cli/demo/report.ts";

const minuteMs = 60_000;

const input: ReportInput = {
  version: "0.1.0",
  machine: { cpus: 2, cpuModel: "Test CPU", platform: "linux-x64", measuredQps: 200 },
  traceName: "NASA",
  clock: { fromMs: Date.parse("1995-07-27T00:00:00Z"), toMs: Date.parse("1995-07-28T00:00:00Z"), speed: 288 },
  durationS: 300.04,
  scale: {
    demandFactor: 0.3,
    requestsPerRealRequest: 4000,
    capacityScale: 1 / 4000,
    averageRealQps: 60,
    peakRealQps: 120,
    averageFleetQps: 800,
    peakFleetQps: 1600,
  },
  agents: 4,
  traffic: { requests: 20_000, errors: 0, retries: 3, latencyMs: { p50: 8, p95: 20, p99: 40 } },
  decisions: [
    { atMs: Date.parse("1995-07-27T02:00:00Z"), kind: "standby", agentId: "nano-1", reason: "quiet" },
    { atMs: Date.parse("1995-07-27T12:00:00Z"), kind: "activate", agentId: "nano-1", reason: "peak forecast" },
  ],
  modeSwitches: [{ atMs: 1, agentId: "thor-1", from: "MAXN", to: "70W" }],
  cost: { run: { energyKwh: 3, costUsd: 0.9 }, reference: { energyKwh: 4, costUsd: 1 } },
  forecasts: [{ model: "lstm", forecasts: 100, wape: 0.28, lastValueWape: 0.36 }],
};

describe("report", () => {
  test("has what a script asks it for", () => {
    expect(buildReport(input)).toMatchObject({
      requests: 20_000,
      errors: 0,
      activations: 1,
      standbys: 1,
      modeSwitches: 1,
      energyKwh: 3,
      costUsd: 0.9,
      run: { energyKwh: 3, costUsd: 0.9 },
      reference: { energyKwh: 4, costUsd: 1 },
      clock: { from: "1995-07-27T00:00:00.000Z", to: "1995-07-28T00:00:00.000Z", speed: 288 },
      durationS: 300,
    });
    expect(JSON.parse(JSON.stringify(buildReport(input)))).toEqual(buildReport(input) as never);
  });

  test("says it to people", () => {
    const text = renderReport(buildReport(input));
    expect(text).toContain("stands for 4000");
    expect(text).toContain("(25.0 % less)");
    expect(text).toContain("lstm: 100 forecasts, off by 28.0 % of the traffic (the last value: 36.0 %)");
    expect(text).toContain("07-27 12:00 activate nano-1: peak forecast");
  });

  test("says nothing odd when nothing happened, and shortens a long list", () => {
    const nothing = {
      ...input,
      traffic: { requests: 0, errors: 0, retries: 0, latencyMs: { p50: null, p95: null, p99: null } },
      decisions: new Array(25).fill(input.decisions[0]),
      cost: { run: { energyKwh: 0, costUsd: 0 }, reference: { energyKwh: 0, costUsd: 0 } },
      forecasts: [{ model: "lstm", forecasts: 1, wape: null, lastValueWape: null }],
    };
    const text = renderReport(buildReport(nothing));
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(text).toContain("decisions (the last 20; 5 before)");
  });
});

describe("measureForecasts", () => {
  const forecast = (agentId: string, minute: number, qps: number[], model = "lstm"): AgentForecast => ({
    agentId,
    madeAtMs: minute * minuteMs + 500,
    model,
    stepMs: minuteMs,
    qps,
  });
  const actual = (minuteStartMs: number) => minuteStartMs / minuteMs;

  test("adds up the agents' forecasts and compares every step", () => {
    // Made in minute 10, for minutes 10 and 11; 10 and 11 came, 9 was the last value.
    const forecasts = [forecast("a", 10, [6, 6]), forecast("b", 10, [6, 6], "moving-average")];
    expect(measureForecasts([...forecasts].reverse(), 2, actual, 0, 12 * minuteMs)).toEqual([
      { model: "moving-average", forecasts: 1, wape: 3 / 21, lastValueWape: 3 / 21 },
    ]);
    expect(measureForecasts(forecasts, 2, actual, 0, 12 * minuteMs)[0]?.model).toBe("lstm");
  });

  test.each([
    { name: "none", forecasts: [], agents: 1 },
    { name: "an agent's is missing", forecasts: [forecast("a", 10, [1])], agents: 2 },
    { name: "the traffic had not begun", forecasts: [forecast("a", 0, [1])], agents: 1 },
    { name: "its first step is not over", forecasts: [forecast("a", 12, [1])], agents: 1 },
  ])("leaves out: $name", ({ forecasts, agents }) => {
    expect(measureForecasts([...forecasts], agents, actual, 0, 12 * minuteMs)).toEqual([]);
  });

  test("steps that are not over are left out, a repeat counts once, no traffic gives no error", () => {
    const forecasts = [forecast("a", 11, [11, 99]), forecast("a", 11, [11, 99])];
    expect(measureForecasts(forecasts, 1, actual, 0, 12 * minuteMs)).toEqual([
      { model: "lstm", forecasts: 1, wape: 0, lastValueWape: 1 / 11 },
    ]);
    expect(measureForecasts(forecasts, 1, () => 0, 0, 12 * minuteMs)[0]?.wape).toBeNull();
  });
});
