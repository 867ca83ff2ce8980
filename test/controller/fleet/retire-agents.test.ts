import { beforeEach, describe, expect, test } from "bun:test";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { Ingest } from "#controller/fleet/ingest.ts";
import { createIngestCounts, type IngestCounts } from "#controller/fleet/ingest-counts.ts";
import { Retirement } from "#controller/fleet/retire-agents.ts";
import type { Store } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { aMinute, aPresence } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

const topic = (channel: string, agentId: string) => `thormesh/v1/f/agents/${agentId}/${channel}`;
const log = createLogger("test", "silent");

let broker: RecordingBroker;
let store: Store;
let fleet: Fleet;
let desired: DesiredDocuments;
let counts: IngestCounts;
let retirement: Retirement;
let outcomes: string[];
let nowMs: number;
let listeningSinceMs: number | null;

beforeEach(() => {
  broker = createRecordingBroker();
  store = createMemoryStore();
  fleet = createFleet();
  counts = createIngestCounts();
  outcomes = [];
  nowMs = 1000 * dayMs;
  listeningSinceMs = 0;
  desired = createDesiredDocuments({ fleetName: "f", fleet, store, broker, nowMs: () => nowMs, log });
  retirement = new Retirement({
    fleetName: "f",
    fleet,
    desired,
    store,
    broker,
    staleAfterMs: 180_000,
    retireAfterMs: 30 * dayMs,
    isConfigured: (agentId) => agentId === "configured",
    onRetired: (agentId) => ingest.forget(agentId),
    listeningSinceMs: () => listeningSinceMs,
    nowMs: () => nowMs,
    log,
  });
  const ingest = new Ingest({
    fleetName: "f",
    fleet,
    store,
    broker,
    limits: { rebirthIntervalMs: 60_000, maxAgents: 5, minutesKeptMs: 14 * dayMs },
    counts,
    retireOne: () => retirement.retireOne(),
    usualCapacityQps: 350,
    nowMs: () => nowMs,
    log,
    onMessage: (channel, outcome) => outcomes.push(`${channel} ${outcome}`),
    onMinute: () => undefined,
    onBeat: () => undefined,
    onAgentChanged: () => undefined,
  });
  ingest.start();
});

const appear = (agentId: string, given: Parameters<typeof aPresence>[0] = {}) =>
  broker.deliver(topic("presence", agentId), aPresence({ agentId, ...given }));
const ids = () => fleet.agents().map(({ agentId }) => agentId);
const notes = async () => (await store.decisions({ kind: "note", limit: 9 })).map(({ rule }) => rule);

describe("a full fleet", () => {
  test("invented agents do not fill it for good: who is silent and has no minutes makes room", async () => {
    await appear("real");
    await broker.deliver(topic("data", "real"), aMinute({ agentId: "real", minuteStartMs: nowMs - 60_000 }));
    for (const agentId of ["x1", "x2", "x3", "x4"]) await appear(agentId);
    await appear("late");
    expect(outcomes.at(-1)).toBe("presence refused");
    expect(counts.totals()).toMatchObject({ noRoom: 1, refused: 1 });
    nowMs += 180_001;
    await appear("late");
    expect(ids()).toEqual(["late", "real", "x2", "x3", "x4"]);
    expect(await notes()).toEqual(["retired-for-another"]);
    for (const agentId of ["l2", "l3", "l4"]) {
      nowMs += 1001;
      await appear(agentId);
    }
    expect(ids()).toEqual(["l2", "l3", "l4", "late", "real"]);
    // Who has minutes on record, or is online, stays.
    nowMs += 1001;
    await appear("l5");
    expect(outcomes.at(-1)).toBe("presence refused");
  });

  test("nor do those that claim to sleep", async () => {
    for (const agentId of ["x1", "x2", "x3", "x4", "x5"]) await appear(agentId, { asleep: { mac: null } });
    nowMs += 180_001;
    await appear("late");
    expect(ids()).toContain("late");
  });

  test("those of the configuration stay", async () => {
    for (const agentId of ["configured", "x2", "x3", "x4", "x5"]) await appear(agentId);
    nowMs += 180_001;
    await appear("late");
    expect(ids()).toEqual(["configured", "late", "x3", "x4", "x5"]);
  });
});

describe("an operator", () => {
  test("retires an agent that is offline: all that is kept of it goes but its minutes", async () => {
    await appear("a");
    await broker.deliver(topic("data", "a"), aMinute({ agentId: "a", minuteStartMs: nowMs - 60_000 }));
    await desired.change("a", { role: "standby" }, "a test");
    await appear("a", { status: "offline" });
    broker.published.splice(0);
    broker.publish = async (to, payload, { retain }) => {
      broker.published.push({ topic: to, message: { payload }, retain });
    };
    await retirement.retire("a");
    expect(ids()).toEqual([]);
    expect([await store.loadAgents(), await store.loadDesired(), desired.documents.size]).toEqual([[], [], 0]);
    expect(await store.hasMinutes("a")).toBe(true);
    await Bun.sleep(0);
    expect(broker.published.map(({ topic: to, message, retain }) => [to.split("/").at(-1), message, retain])).toEqual([
      ["presence", { payload: "" }, true],
      ["desired", { payload: "" }, true],
      ["reported", { payload: "" }, true],
    ]);
    // The broker tells this controller as well.
    await broker.deliver(topic("presence", "a"), "");
    expect(outcomes.at(-1)).toBe("presence stale");
    expect(ids()).toEqual([]);
    expect(await notes()).toEqual(["retired-by-operator"]);
  });

  test("keeps it while its retained messages can't be cleared: it would be back with them", async () => {
    await appear("a", { status: "offline" });
    broker.publish = async () => {
      throw new ServiceError("BROKER_UNAVAILABLE", "no broker");
    };
    await expect(retirement.retire("a")).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    nowMs += 30 * dayMs + 1;
    expect(await retirement.retireSilent()).toEqual([]);
    expect([ids(), (await store.loadAgents()).length]).toEqual([["a"], 1]);
  });

  test.each([
    ["one that is online", "CONFLICT", () => appear("a")],
    ["one that nobody has heard of", "NOT_FOUND", async () => undefined],
  ])("does not retire %s", async (_name, code, prepare) => {
    await prepare();
    await expect(retirement.retire("a")).rejects.toMatchObject({ code });
  });

  test("does not retire one whose machine is configured", async () => {
    await appear("configured", { status: "offline" });
    await expect(retirement.retire("configured")).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("a long silence", () => {
  test("ends in retirement", async () => {
    await appear("a");
    nowMs += 30 * dayMs + 1;
    await appear("b");
    expect(await retirement.retireSilent()).toEqual(["a"]);
    expect(ids()).toEqual(["b"]);
  });

  test.each([
    ["while nothing is heard", null],
    ["just after this controller began to listen", 1030 * dayMs],
  ])("says nothing %s", async (_name, sinceMs) => {
    await appear("a");
    nowMs += 30 * dayMs + 1;
    listeningSinceMs = sinceMs;
    expect(await retirement.retireSilent()).toEqual([]);
  });
});
