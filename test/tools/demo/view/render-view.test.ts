import { describe, expect, test } from "bun:test";
import { formatClock, formatDuration, renderProgress, renderView } from "#tools/demo/view/render-view.ts";
import type { AgentSnapshot, DemoSnapshot } from "#tools/demo/view/snapshot.ts";

const agent: AgentSnapshot = {
  agentId: "thor-1",
  board: "thor-t5000",
  online: true,
  role: "active",
  powerMode: "120W",
  watts: 84.6,
  qps: 0.05,
  capacityQps: 0.1,
  forecastPeakQps: 0.06,
  p95LatencyMs: 31,
};

const snapshot: DemoSnapshot = {
  clockMs: Date.parse("1995-07-27T14:32:10Z"),
  speed: 288,
  elapsedS: 187,
  progress: 0.6,
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
  agents: [agent, { ...agent, agentId: "nano-1", board: "orin-nano", role: "standby", qps: 0, watts: 4 }],
  forecast: { peakQps: 0.07, model: "lstm" },
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
    run: { energyKwh: 1.5, costUsd: 2.6, energyUsd: 0.225, amortisationUsd: 2.375 },
    reference: { energyKwh: 2, costUsd: 2.675, energyUsd: 0.3, amortisationUsd: 2.375 },
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
      capacityQps: null,
      forecastPeakQps: null,
      p95LatencyMs: null,
    },
  ],
  forecast: null,
  trainings: [],
  cost: null,
  decisions: [],
};

describe("renderView", () => {
  test.each([
    { name: "a running fleet", value: snapshot },
    { name: "a fleet of which nothing is known yet", value: empty },
    { name: "no agents", value: { ...empty, agents: [] } },
  ])("keeps to 100 columns: $name", ({ value }) => {
    const lines = renderView(value);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.join("\n")).not.toMatch(/NaN|undefined|null|Infinity/);
  });

  test.each([
    { name: "none so far", change: { last: null }, says: "training thor-1: 7 of 303 minutes recorded" },
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
    expect(renderView({ ...snapshot, trainings })).toContain(says);
  });

  test("shows the fleet in its full-size figures, the cost and the newest decision first", () => {
    const text = renderView(snapshot).join("\n");
    expect(text).toContain("Thu 27 Jul 1995 14:32 UTC");
    expect(text).toContain("1,000 requests/s of the fleet; 72/s actually sent, each stands for 4,000");
    expect(text).toMatch(/thor-1 +thor-t5000 +active +120W +85 +200 +50% +240 +31/);
    expect(text).toMatch(/fleet +1\/2 on +89 +200 +280 \(lstm\)/);
    expect(text).toContain("energy   1.500 kWh = $0.2250; all on at full power 2.000 kWh = $0.3000 (25 % less)");
    expect(text).toContain("cost     $2.60, $2.38 of it for owning the boards, on or off; all on $2.67");
    expect(text).toContain(
      "training thor-1: training, epoch 7, loss 0.0432; before: kept: WAPE 29.10 % against 28.40 %",
    );
    expect(text.match(/very/g)?.length).toBe(40); // long reasons go on in the next line
    expect(text.indexOf("12:00 scale-out")).toBeLessThan(text.indexOf("03:00 scale-in: quiet night"));
  });
});

test("a line of progress", () => {
  expect(renderProgress(snapshot)).toBe(
    "Thu 27 Jul 1995 14:32 (60 %), 72 requests/s sent, 22310 answered, 0 errors, p95 23 ms, 1/2 active (120W), forecast peak 280/s, 1.500 kWh $2.6000",
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
