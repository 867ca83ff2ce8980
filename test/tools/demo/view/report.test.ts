import { describe, expect, test } from "bun:test";
import { minuteMs } from "#platform/time.ts";
import { championOf, measureForecasts } from "#tools/demo/view/forecast-accuracy.ts";
import { buildReport, type ReportInput, renderReport } from "#tools/demo/view/report.ts";

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
  acts: [
    {
      fromMs: Date.parse("1995-07-27T00:00:00Z"),
      toMs: Date.parse("1995-07-27T14:00:00Z"),
      boardSpeed: 1,
      service: {
        requests: 50_400,
        failed: 0,
        refused: 0,
        p95Ms: 22.6,
        minutes: 840,
        missedMinutes: 0,
        keptSinceMs: 1,
        servedBy: { "thor-1": 50_400 },
      },
    },
    {
      fromMs: Date.parse("1995-07-27T14:00:00Z"),
      toMs: Date.parse("1995-07-28T00:00:00Z"),
      boardSpeed: 0.4,
      service: {
        requests: 36_000,
        failed: 0,
        refused: 9,
        p95Ms: 120,
        minutes: 600,
        missedMinutes: 2,
        keptSinceMs: null,
        servedBy: { "thor-1": 18_000, "offer:spot": 18_000 },
      },
    },
  ],
  routes: {
    routes: [
      { backend: "thor-1", kind: "peer", reason: "less-loaded", requests: 15_000 },
      { backend: "offer:spot", kind: "spot", reason: "cheapest", requests: 4_900 },
      { backend: "offer:on-demand", kind: "on-demand", reason: "all-busy", requests: 20 },
      { backend: "offer:spot", kind: "spot", reason: "all-busy", requests: 80 },
    ],
    refused: 3,
    extraAttempts: { retry: 12, hedge: 41 },
    usd: 4_000 * (15_000 * 0.000_000_8 + 4_980 * 0.000_002 + 20 * 0.000_006),
  },
  capacities: [{ agentId: "thor-1", modeName: "MAXN", measuredQps: 0.0605, profileQps: 0.1 }],
  traffic: { requests: 20_000, errors: 0, retries: 3, latencyMs: { p50: 8, p95: 20, p99: 40 } },
  decisions: [
    {
      atMs: Date.parse("1995-07-27T02:00:00Z"),
      kind: "scale-in",
      reason: "quiet",
      activated: [],
      stoodBy: ["nano-1", "thor-2"],
    },
    {
      atMs: Date.parse("1995-07-27T12:00:00Z"),
      kind: "scale-out",
      reason: "peak forecast",
      activated: ["nano-1"],
      stoodBy: [],
    },
  ],
  modeSwitches: [{ atMs: 1, agentId: "thor-1", from: "MAXN", to: "70W" }],
  cost: {
    run: { energyKwh: 3, costUsd: 0.95, energyUsd: 0.45, amortisationUsd: 0.5, offersUsd: 0 },
    reference: { energyKwh: 4, costUsd: 1.1, energyUsd: 0.6, amortisationUsd: 0.5, offersUsd: 0 },
  },
  paidBy: {
    tenants: [
      {
        ...{ tenant: "shop", model: "mini", requests: 12_000, activeKwh: 1, boardHours: 1 },
        ...{ boardsUsd: 0.283, offersUsd: 0.1 },
      },
      {
        ...{ tenant: "search", model: "mini", requests: 8000, activeKwh: 0.5, boardHours: 0.5 },
        ...{ boardsUsd: 0.1415, offersUsd: 0 },
      },
    ],
    idleUsd: 0.5255,
  },
  champion: { model: "blend", shares: { lstm: 0.604, ridge: 0.39, "last value": 0.006 }, reason: "by their errors" },
  liveAccuracy: {
    windowMs: 86_400_000,
    forecasts: 100,
    wapePercent: 28,
    biasPercent: 1,
    peakWapePercent: 20,
    coverage95: 0.94,
    rises: 3,
    hits: 2,
    misses: 1,
    falseAlarms: 1,
    hitRate: 2 / 3,
    missRate: 1 / 3,
    falseAlarmRate: 1 / 3,
    medianLeadMinutes: 9.4,
    served: { blend: 100 },
  },
  trainings: [
    {
      agentId: "thor-1",
      endedAtMs: Date.parse("1995-07-27T05:07:00Z"),
      kind: "kept",
      reason: "WAPE 29.10 % against 28.40 % of the model in service on 31 held-out forecasts: not better by 1 %",
    },
  ],
  trainingsAwaited: [{ agentId: "orin-1", reason: "too little record without gaps" }],
  forecasts: [{ model: "lstm", forecasts: 100, wape: 0.28, lastValueWape: 0.36 }],
};

describe("report", () => {
  test("has what a script asks it for", () => {
    expect(buildReport(input)).toMatchObject({
      requests: 20_000,
      errors: 0,
      activations: 1,
      standbys: 2,
      modeSwitches: 1,
      energyKwh: 3,
      costUsd: 0.95,
      run: { energyKwh: 3, costUsd: 0.95 },
      reference: { energyKwh: 4, costUsd: 1.1 },
      clock: { from: "1995-07-27T00:00:00.000Z", to: "1995-07-28T00:00:00.000Z", speed: 288 },
      durationS: 300,
    });
    expect(buildReport(input)).toMatchObject({
      trainings: input.trainings,
      trainingsAwaited: input.trainingsAwaited,
    });
    expect(JSON.parse(JSON.stringify(buildReport(input)))).toEqual(buildReport(input) as never);
  });

  test("says it to people", () => {
    const text = renderReport(buildReport(input));
    expect(text).toContain("scale       1 s = 288 s of demo time; rates: texts/demo s; boards slowed 4,000-fold");
    expect(text).toContain("energy      3.000 kWh x $0.15 = $0.450; all on 4.000 kWh (25 % less)");
    expect(text).toContain(
      "paid by     shop for mini: $0.383 ($0.283 boards + $0.100 offers), $0.032 a thousand requests",
    );
    expect(text).toContain("paid by     search for mini: $0.141 (boards), $0.018 a thousand requests");
    expect(text).toContain("paid by     nobody: $0.525, boards that were on and idle, or on standby");
    expect(text).toContain("lstm: 100 forecasts, off by 28.0 % of the traffic (the last value: 36.0 %)");
    expect(text).toContain("07-27 12:00 scale-out: peak forecast");
    expect(text).toContain(
      "rises       3 rises of traffic that needed more capacity: 2 predicted, 9 min ahead in the median, 1 missed; 1 false alarm; " +
        "peaks within their 0.95 quantile: 94.0 %",
    );
    expect(text).toContain("champion    lstm 60 %, ridge 39 %\n");
    expect(text).toContain("training    07-27 05:07 thor-1 kept: WAPE 29.10 % against 28.40 %");
    expect(text).toContain("training    orin-1 none: too little record without gaps");
  });

  test("fits a terminal", () => {
    const lines = renderReport(buildReport(input), 80).split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines.join(" ").replaceAll(/ +/g, " ")).toContain(
      "rises 3 rises of traffic that needed more capacity: 2 predicted, 9 min ahead in the median, 1 missed;",
    );
  });

  test("tells of both acts, and of what was measured", () => {
    const text = renderReport(buildReport(input));
    expect(text).toContain("SLO         each minute's p95 within 1 s of real time, 99.9 % answered without a refusal");
    expect(text).toContain("act 1       00:00 to 14:00: simulated boards as fast as their profiles say");
    // 50,400 texts in 840 minutes are one a second.
    expect(text).toContain("50,400 texts in 840 min (1 texts/s)");
    expect(text).toContain("act 2       14:00 to 00:00: boards run at 40 % of profile; the fleet is not told");
    expect(text).toContain("SLO missed 2 of 600 min and now; p95 0.12 s; 9 refused");
    expect(text).toContain("capacity    thor-1 in MAXN: measured 0.0605 texts/s, 60.5 % of the 0.1 of its profile");
  });

  test("says once that none has trained", () => {
    const awaited = ["thor-1", "orin-1"].map((agentId) => ({ agentId, reason: "too little record" }));
    const text = renderReport(buildReport({ ...input, trainings: [], trainingsAwaited: awaited }));
    expect(text.match(/^training .*$/gm)).toEqual(["training    thor-1 none: too little record"]);
  });

  test("says nothing odd when nothing happened, and shortens a long list", () => {
    const zero = { energyKwh: 0, costUsd: 0, energyUsd: 0, amortisationUsd: 0, offersUsd: 0 };
    const nothing = {
      ...input,
      champion: null,
      liveAccuracy: null,
      trainings: [],
      traffic: { requests: 0, errors: 0, retries: 0, latencyMs: { p50: null, p95: null, p99: null } },
      decisions: new Array(25).fill(input.decisions[0]),
      cost: { run: zero, reference: zero },
      forecasts: [{ model: "lstm", forecasts: 1, wape: null, lastValueWape: null }],
    };
    const text = renderReport(buildReport(nothing));
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(text).toContain("decisions (the last 20; 5 before)");
    expect(renderReport(buildReport({ ...nothing, decisions: [] }))).toContain("decisions   none");
  });
});

describe("measureForecasts", () => {
  const forecast = (minute: number, qps: number[], model = "lstm") => ({
    madeAtMs: minute * minuteMs + 500,
    model,
    stepMs: minuteMs,
    qps,
  });
  /** Minute 9 has 9 requests per second, and so on. */
  const actual = (minuteStartMs: number) => minuteStartMs / minuteMs;

  test("compares every step, by model, beside the last value", () => {
    // Made in minute 10, for minutes 10 and 11; 10 and 11 came, 9 was the last value.
    const forecasts = [forecast(10, [12, 12]), forecast(11, [11], "moving-average"), forecast(11, [11, 12])];
    expect(measureForecasts(forecasts, actual, 0, 13 * minuteMs)).toEqual([
      { model: "lstm", forecasts: 2, wape: 3 / 44, lastValueWape: (1 + 2 + 1 + 2) / 44 },
      { model: "moving-average", forecasts: 1, wape: 0, lastValueWape: 1 / 11 },
    ]);
  });

  test.each([
    { name: "none", forecasts: [] },
    { name: "made before there was traffic", forecasts: [forecast(0, [1])] },
    { name: "its first step is not over", forecasts: [forecast(12, [1])] },
  ])("leaves out: $name", ({ forecasts }) => {
    expect(measureForecasts([...forecasts], actual, 0, 12 * minuteMs)).toEqual([]);
  });

  test("steps that are not over are left out, no traffic gives no error", () => {
    const forecasts = [forecast(11, [11, 99])];
    expect(measureForecasts(forecasts, actual, 0, 12 * minuteMs)).toEqual([
      { model: "lstm", forecasts: 1, wape: 0, lastValueWape: 1 / 11 },
    ]);
    expect(measureForecasts(forecasts, () => 0, 0, 12 * minuteMs)[0]?.wape).toBeNull();
  });
});

const alone = { model: "lstm", reason: "fewer than 30 forecasts have come true" };
const blend = { model: "blend", shares: { lstm: 0.6, ridge: 0.4 }, reason: "by their errors" };
test.each([
  { name: "none", forecasts: [], champion: null },
  { name: "none was chosen yet", forecasts: [alone], champion: { ...alone, shares: { lstm: 1 } } },
  {
    name: "the newest that was chosen",
    forecasts: [alone, { ...blend, reason: "old" }, blend, alone],
    champion: blend,
  },
])("the champion in the end: $name", ({ forecasts, champion }) => {
  expect(championOf(forecasts)).toEqual(champion);
});
