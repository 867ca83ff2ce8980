import { describe, expect, test } from "bun:test";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import type { Service } from "#tools/demo/traffic/service-record.ts";
import { formatClock, formatDuration } from "#tools/demo/view/format.ts";
import { renderProgress, renderView } from "#tools/demo/view/render-view.ts";
import type { AgentSnapshot, DemoSnapshot } from "#tools/demo/view/snapshot.ts";

const agent: AgentSnapshot = {
  agentId: "thor-1",
  board: "thor-t5000",
  online: true,
  role: "active",
  powerMode: "120W",
  watts: 84.6,
  qps: 0.05,
  profileQps: 0.1,
  measuredQps: 0.0593,
  forecastPeakQps: 0.06,
  share: 0.42,
};

const service: Service = {
  requests: 9_000,
  failed: 0,
  refused: 0,
  p95Ms: 22.6,
  minutes: 88,
  missedMinutes: 0,
  keptSinceMs: 1,
  servedBy: { "thor-1": 8_000, "offer:spot": 1_000 },
};

const accuracy: ForecastAccuracy = {
  windowMs: 86_400_000,
  forecasts: 100,
  wapePercent: 28,
  biasPercent: 1,
  peakWapePercent: 20,
  coverage95: 0.94,
  rises: 6,
  hits: 5,
  misses: 1,
  falseAlarms: 1,
  hitRate: 5 / 6,
  missRate: 1 / 6,
  falseAlarmRate: 1 / 6,
  medianLeadMinutes: 9.4,
  served: { blend: 100 },
};

const snapshot: DemoSnapshot = {
  clockMs: Date.parse("1995-07-27T14:32:10Z"),
  speed: 60,
  elapsedS: 187,
  windowS: 300,
  fromMs: Date.parse("1995-07-27T12:32:10Z"),
  progress: 0.6,
  page: "http://127.0.0.1:7070/ (log in with a-key)",
  scale: {
    demandFactor: 0.3,
    requestsPerRealRequest: 4000,
    capacityScale: 1 / 4000,
    averageRealQps: 60,
    peakRealQps: 120,
    averageFleetQps: 800,
    peakFleetQps: 1600,
  },
  sentQps: 72,
  traffic: { requests: 22_310, errors: 0, retries: 12, latencyMs: { p50: 8.04, p95: 22.6, p99: 41 } },
  routes: {
    routes: [
      { backend: "thor-1", kind: "peer", reason: "less-loaded", requests: 20_079 },
      { backend: "offer:spot", kind: "spot", reason: "cheapest", requests: 2_231 },
    ],
    refused: 0,
    extraAttempts: { retry: 3, hedge: 9 },
    // Of 22,310 requests that stand for 4,000 each.
    usd: 4_000 * (20_079 * 0.000_000_8 + 2_231 * 0.000_002),
  },
  agents: [agent, { ...agent, agentId: "nano-1", board: "orin-nano", role: "standby", qps: 0, watts: 4 }],
  forecast: { peakQps: 0.07, model: "lstm" },
  acts: [
    { fromMs: Date.parse("1995-07-27T12:32:10Z"), toMs: Date.parse("1995-07-27T14:00:00Z"), boardSpeed: 1, service },
    {
      fromMs: Date.parse("1995-07-27T14:00:00Z"),
      toMs: Date.parse("1995-07-27T14:32:10Z"),
      boardSpeed: 0.6,
      service: {
        ...service,
        p95Ms: 2822,
        refused: 22,
        minutes: 120,
        missedMinutes: 45,
        keptSinceMs: Date.parse("1995-07-27T14:31:00Z"),
      },
    },
  ],
  accuracy,
  trainings: [
    {
      agentId: "thor-1",
      state: "training",
      reason: "at any hour",
      epoch: 7,
      loss: 0.04321,
      last: { endedAtMs: 1, kind: "kept", reason: "WAPE 29.10 % against 28.40 % of the model in service" },
      servesOwnModel: false,
    },
  ],
  cost: {
    run: { energyKwh: 1.5, costUsd: 2.63, energyUsd: 0.225, amortisationUsd: 2.375, offersUsd: 0.03 },
    reference: { energyKwh: 2, costUsd: 2.705, energyUsd: 0.3, amortisationUsd: 2.375, offersUsd: 0.03 },
  },
  decisions: [
    {
      atMs: Date.parse("1995-07-27T03:00:00Z"),
      kind: "scale-in",
      reason: "quiet night",
      activated: [],
      stoodBy: ["nano-1"],
    },
    {
      atMs: Date.parse("1995-07-27T12:00:00Z"),
      kind: "scale-out",
      activated: ["thor-1"],
      stoodBy: [],
      reason: `${"very ".repeat(40)}long`,
    },
  ],
};

const empty: DemoSnapshot = {
  ...snapshot,
  routes: { routes: [], refused: 0, extraAttempts: { retry: 0, hedge: 0 }, usd: 0 },
  sentQps: 0,
  progress: 0,
  traffic: { requests: 0, errors: 0, retries: 0, latencyMs: { p50: null, p95: null, p99: null } },
  agents: [
    {
      ...agent,
      online: false,
      powerMode: null,
      watts: null,
      qps: null,
      profileQps: null,
      measuredQps: null,
      forecastPeakQps: null,
      share: null,
    },
  ],
  forecast: null,
  acts: [],
  accuracy: null,
  trainings: [],
  cost: null,
  decisions: [],
};

const terminal = { columns: 80, rows: 24 };
const wide = { columns: 120, rows: 60 };

describe("renderView", () => {
  test.each([
    { name: "a running fleet", value: snapshot },
    { name: "a fleet of which nothing is known yet", value: empty },
    { name: "no agents", value: { ...empty, agents: [] } },
    { name: "16 agents", value: { ...snapshot, agents: new Array(16).fill(agent) } },
  ])("fits terminals: $name", ({ value }) => {
    for (const { columns, rows } of [terminal, wide, { columns: 100, rows: 30 }, { columns: 40, rows: 2 }]) {
      const lines = renderView(value, { columns, rows });
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(lines.length).toBeLessThan(rows);
      expect(lines.join("\n")).not.toMatch(/NaN|undefined|null|Infinity/);
    }
  });

  test("in 80 columns and 24 lines nothing but decisions is cut, in either act", () => {
    const four = { ...snapshot, agents: new Array(4).fill(agent), trainings: [] };
    for (const value of [four, { ...four, acts: four.acts.slice(0, 1) }]) {
      const lines = renderView(value, terminal);
      expect(lines.join("\n")).not.toContain("…");
      expect(lines.at(-1)).toBe("03:00 scale-in: quiet night");
    }
  });

  test.each([
    { name: "none so far", change: { last: null }, says: null },
    {
      name: "one before",
      change: { last: { endedAtMs: 1, kind: "promoted", reason: "WAPE 21.00 % against 25.00 %" } },
      says: "training thor-1: promoted: WAPE 21.00 % against 25.00 %",
    },
    {
      name: "one at rest, before its first batch",
      change: { last: null, state: "resting", epoch: 0 },
      says: "training thor-1: resting, epoch 0",
    },
  ] as const)("says how an agent's training does: $name", ({ change, says }) => {
    const waiting = { agentId: "thor-1", state: "waiting", reason: "7 of 303 minutes recorded", epoch: null } as const;
    const trainings = [{ ...waiting, loss: null, servesOwnModel: false, ...change }];
    const lines = renderView({ ...snapshot, trainings }, wide);
    expect(lines.filter((line) => line.startsWith("training"))).toEqual(says === null ? [] : [says]);
  });

  test("shows one scale in which the figures can be multiplied, both acts and the newest decision first", () => {
    const text = renderView(snapshot, wide).join("\n");
    expect(text).toContain("Thu 27 Jul 1995 14:32 UTC");
    expect(text).toContain("3:07 of 5:00");
    expect(text).toContain("scale    1 s = 1 min of demo time; rates: texts/demo s; boards slowed 4,000-fold");
    // 72 a second are 1.2 of a clock that runs 60 times as fast; 22,310 in 120 minutes are 3.1 a second.
    expect(text).toContain("traffic  1.2 texts/s; 22,310 texts answered in 120 min (3.1 texts/s)");
    expect(text).toContain("routes   $0.92 a million (even mix $2.93): boards 90 %, spot 10 %");
    expect(text).toContain("act 1    SLO missed 0 of 88 min; p95 0.0226 s; 0 refused");
    expect(text).toContain("act 2    since 14:00 boards run at 60 % of profile; the fleet is not told");
    expect(text).toContain("SLO missed 45 of 120 min, kept since 14:31; p95 2.82 s; 22 refused");
    expect(text).toMatch(/thor-1 +thor-t5000 +active +120W +85 +0.05 +0.06 +0.1 +0.0593 +42 %/);
    expect(text).toMatch(/fleet +1\/2 on +89 +0.05 +0.07 +0.1/);
    const firstAct = renderView({ ...snapshot, acts: snapshot.acts.slice(0, 1) }, wide).join("\n");
    expect(firstAct).toContain("act 1    simulated boards as fast as their profiles say");
    expect(text).toContain("energy   1.500 kWh x $0.15 = $0.225; all on 2.000 kWh (25 % less)");
    expect(text).toContain("cost     $2.63 = $0.225 energy + $2.38 boards + $0.030 offers; all on $2.71");
    expect(text).toContain("forecast 5 of 6 rises foretold, 9 min ahead; 1 false alarm");
    expect(text).toContain(
      "training thor-1: training, epoch 7, loss 0.0432; before: kept: WAPE 29.10 % against 28.40 %",
    );
    expect(text.match(/very/g)?.length).toBe(40); // long reasons go on in the next line
    expect(text.indexOf("12:00 scale-out")).toBeLessThan(text.indexOf("03:00 scale-in: quiet night"));
  });
});

test("a line of progress", () => {
  expect(renderProgress(snapshot)).toBe(
    "Thu 27 Jul 1995 14:32 (60 %), act 2, 1.2 texts/s, 22310 answered, 0 errors, $0.92 a million (even mix $2.93): boards 90 %, spot 10 %, p95 2,822 ms, 1/2 active (120W), forecast peak 0.07 texts/s, 1.500 kWh $2.6300",
  );
  expect(renderProgress(empty)).not.toMatch(/NaN|undefined|null/);
});

test.each([
  [0, "0:00"],
  [-1, "0:00"],
  [59.9, "0:59"],
  [187, "3:07"],
  [3600, "60:00"],
])("%p seconds are %p", (seconds, expected) => {
  expect(formatDuration(seconds)).toBe(expected);
});

test("the clock's time", () => {
  expect(formatClock(Date.parse("1995-07-01T04:05:59Z"))).toBe("Sat 01 Jul 1995 04:05");
});
