import { beforeEach, describe, expect, test } from "bun:test";
import {
  createDesiredDocuments,
  type DesiredChange,
  type DesiredDocuments,
} from "#controller/fleet/desired-documents.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import type { CapacityProvider } from "#controller/scaling/actuators/capacity-provider.ts";
import {
  type DocumentUpkeepParts,
  endDraining,
  endOverrides,
  remindLaggards,
  renewModes,
} from "#controller/scaling/loop/document-upkeep.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import type { Override } from "#controller/store/store.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { anAgent } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker } from "../../recording-broker.ts";

const config = parseConfig(ScalingConfig, { intervalMs: 60_000, plan: { modeHoldMs: 600_000 } }, "test");
let nowMs: number;
let desired: DesiredDocuments;
let broker: ReturnType<typeof createRecordingBroker>;
let fleet: ReturnType<typeof createFleet>;
let rows: unknown[];
let requests: Parameters<CapacityProvider["request"]>[0][];
let parts: DocumentUpkeepParts;

beforeEach(() => {
  nowMs = 1_000_000;
  rows = [];
  requests = [];
  broker = createRecordingBroker();
  fleet = createFleet();
  const log = createLogger("test", "silent");
  const store = createMemoryStore();
  desired = createDesiredDocuments({ fleetName: "f", fleet, store, broker, nowMs: () => nowMs, log });
  parts = {
    ...{ config, fleet, desired, log, nowMs: () => nowMs },
    roles: {
      request: async (request) => {
        requests.push(request);
        return { kind: "done" } as never;
      },
    },
    records: { insert: async (row) => rows.push(row) },
  };
});

const override = (given: Partial<Override>): Override => ({
  ...{ agentId: "a", role: "standby", powerMode: null, powerModeCap: null, createdAtMs: 1, expiresAtMs: 1_000_000 },
  ...given,
});

describe("overrides", () => {
  test("that expire now are ended, told and recorded; others stay", async () => {
    await desired.change("a", { role: "standby", powerMode: "70W", powerModeUntilMs: 5, powerModeCap: "90W" }, "one");
    await desired.change("b", { role: "standby" }, "two");
    await desired.setOverride(override({}));
    await desired.setOverride(override({ agentId: "b", expiresAtMs: 1_000_001 }));
    await endOverrides(parts);
    expect([...desired.overrides.keys()]).toEqual(["b"]);
    expect(desired.documents.get("a")).toMatchObject({
      ...{ version: 2, role: "standby", powerMode: null, powerModeUntilMs: null },
      reason: "the operator's override of a has expired",
    });
    expect(desired.documents.get("a")).not.toHaveProperty("powerModeCap");
    expect(desired.documents.get("b")?.version).toBe(1);
    expect(rows).toEqual([
      {
        ...{ atMs: 1_000_000, kind: "override-ended", rule: "override-expired", agents: ["a"] },
        reason: "the operator's override of a has expired",
        inputs: override({}),
        outcome: nothingDone,
      },
    ]);
  });

  test("of several agents are ended in one go", async () => {
    for (const agentId of ["a", "b"]) await desired.setOverride(override({ agentId }));
    await endOverrides(parts);
    expect([desired.overrides.size, rows.length]).toEqual([0, 2]);
  });
});

test("draining that no operator wants is ended, told and recorded", async () => {
  for (const agentId of ["a", "held", "other"]) await desired.change(agentId, { role: "draining" }, "gone");
  await desired.change("b", { role: "standby" }, "two");
  await desired.setOverride(override({ agentId: "held", role: "draining" }));
  await desired.setOverride(override({ agentId: "other", role: null }));
  await endDraining(parts);
  const versions = ["a", "held", "other", "b"].map((agentId) => desired.documents.get(agentId)?.version);
  expect(versions).toEqual([2, 1, 2, 1]);
  const reason = "no operator wants a to drain any longer: it stands by, and serves when needed";
  expect(desired.documents.get("a")?.reason).toBe(reason);
  expect(rows[0]).toEqual({
    ...{ atMs: 1_000_000, kind: "note", rule: "draining-ended", reason, agents: ["a"], inputs: {} },
    outcome: nothingDone,
  });
  expect(rows).toHaveLength(2);
});

describe("agents that have not taken in their document", () => {
  /** Gives an agent a document of version 1, which it has or has not reported. */
  async function tell(desiredVersion: number | null, status: "online" | "offline" = "online") {
    const reported = desiredVersion === null ? null : { desiredVersion };
    await desired.change("a", { role: "standby" }, "why");
    fleet.put(anAgent({ agentId: "a", presence: { status }, reported }));
    broker.published.length = 0;
  }

  test.each([
    { name: "after an interval", reported: null, afterMs: 60_000, published: 1 },
    { name: "not before", reported: null, afterMs: 59_999, published: 0 },
    { name: "not one that follows", reported: 1, afterMs: 60_000, published: 0 },
    { name: "one that follows an earlier one", reported: 0, afterMs: 60_000, published: 1 },
  ])("are reminded: $name", async ({ reported, afterMs, published }) => {
    await tell(reported);
    nowMs += afterMs;
    await remindLaggards(parts);
    expect(broker.published.map(({ topic }) => topic)).toEqual(
      new Array(published).fill("thormesh/v1/f/agents/a/desired"),
    );
    expect(desired.documents.get("a")?.version).toBe(1);
  });

  test("are left alone while they are away, or without a document", async () => {
    await tell(null, "offline");
    fleet.put(anAgent({ agentId: "new" }));
    fleet.put(anAgent({ agentId: "silent", presence: null }));
    await desired.change("silent", {}, "why");
    broker.published.length = 0;
    nowMs += 60_000;
    await remindLaggards(parts);
    expect(broker.published).toEqual([]);
  });

  test("one after the other: those that can't be reminded keep none from it", async () => {
    fleet.put(anAgent({ agentId: "0" }));
    await tell(null);
    nowMs += 60_000;
    await remindLaggards(parts);
    expect(broker.published).toHaveLength(1);
  });

  test("get a later one where they hold a later one, of another controller", async () => {
    await tell(7);
    nowMs += 60_000;
    await remindLaggards(parts);
    expect(desired.documents.get("a")).toMatchObject({ version: 8, role: "standby", reason: "why" });
    expect(broker.published).toHaveLength(1);
  });
});

describe("power modes that the plan wants", () => {
  const half = 300_000;
  const held: DesiredChange = { role: "active", powerMode: "70W", powerModeUntilMs: 1_000_000 + half };
  const request = {
    ...{ id: `a-hold-${1_000_000 + half}`, agentId: "a", want: "on", mode: "70W" },
    reason: "this power mode is still wanted",
  };

  test.each([
    { name: "half way to their end", change: {}, asked: true },
    { name: "not one that ends now", change: { powerModeUntilMs: 1_000_000 }, asked: false },
    { name: "not before", change: { powerModeUntilMs: 1_000_001 + half }, asked: false },
    { name: "not of a standby", change: { role: "standby" as const }, asked: false },
    { name: "not without one", change: { powerMode: null }, asked: false },
    { name: "not one that lasts for good", change: { powerModeUntilMs: null }, asked: false },
  ])("are renewed: $name", async ({ change, asked }) => {
    await desired.change("a", { ...held, ...change }, "plan");
    await renewModes(parts);
    expect(requests as unknown[]).toEqual(asked ? [request] : []);
  });

  test("an operator's mode is not the plan's; an operator's role leaves it", async () => {
    await desired.change("a", held, "plan");
    await desired.change("b", held, "plan");
    await desired.setOverride(override({ powerMode: "70W" }));
    await desired.setOverride(override({ agentId: "b", powerMode: null }));
    await renewModes(parts);
    expect(requests.map(({ agentId }) => agentId)).toEqual(["b"]);
  });
});
