import { beforeEach, describe, expect, test } from "bun:test";
import {
  createDesiredDocuments,
  type DesiredChange,
  type DesiredDocuments,
} from "#controller/fleet/desired-documents.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { createOrderSeals, documentValidMs } from "#controller/identity/order-seals.ts";
import type { Override, Store } from "#controller/store/store.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { bounds } from "#protocol/bounds.ts";
import { isSealed } from "#protocol/identity/order-text.ts";
import { anAgent } from "../../fakes/builders.ts";
import { createRecordingBroker } from "../../fakes/memory-broker.ts";
import { createMemoryStore } from "../memory-store.ts";

let store: Store;
let fleet: ReturnType<typeof createFleet>;
let broker: ReturnType<typeof createRecordingBroker>;
let desired: DesiredDocuments;
const log = createLogger("test", "silent");
const documentsOn = () => createDesiredDocuments({ fleetName: "f", fleet, store, broker, nowMs: () => 1000.6, log });
const override: Override = {
  ...{ agentId: "a", role: "standby", powerMode: null, powerModeCap: null, createdAtMs: 1, expiresAtMs: 2 },
};
const published = () =>
  broker.published.map(({ topic, payload, retain }) => [topic, JSON.parse(payload).version, retain]);

beforeEach(() => {
  store = createMemoryStore();
  fleet = createFleet();
  broker = createRecordingBroker();
  broker.setConnected(true);
  desired = documentsOn();
});

test("the first document of an agent is published, retained and stored", async () => {
  const document = await desired.change("a", {}, "a\u0007 reason");
  expect(document).toEqual({
    ...{ v: 1, agentId: "a", version: 1, issuedAtMs: 1001, role: "active", powerMode: null, powerModeUntilMs: null },
    reason: expect.stringMatching(/^a.* reason$/),
  });
  expect(document.reason).not.toContain("\u0007");
  expect(published()).toEqual([["thormesh/v1/f/agents/a/desired", 1, true]]);
  expect(JSON.parse(broker.published[0]?.payload ?? "")).toEqual(document);
  expect(await store.loadDesired()).toEqual([document]);
  expect(desired.documents.get("a")).toEqual(document);
  expect((await desired.change("a", {}, "x".repeat(2000))).reason).toBe("x".repeat(1024));
});

const until = { powerModeUntilMs: 7, powerModeCapUntilMs: 8 };
test.each<[string, DesiredChange, object]>([
  ["nothing", {}, { role: "standby", powerMode: "70W", powerModeCap: "90W", ...until }],
  ["the role", { role: "draining" }, { role: "draining", powerMode: "70W", powerModeCap: "90W", ...until }],
  [
    "the mode",
    { powerMode: "30W", powerModeUntilMs: 9 },
    { role: "standby", powerMode: "30W", powerModeUntilMs: 9, powerModeCap: "90W", powerModeCapUntilMs: 8 },
  ],
  ["the mode's end", { powerModeUntilMs: null }, { powerMode: "70W", powerModeUntilMs: null }],
  ["no mode any more", { powerMode: null }, { powerMode: null, powerModeUntilMs: 7, powerModeCap: "90W" }],
  ["the cap", { powerModeCap: "50W" }, { powerMode: "70W", powerModeCap: "50W", powerModeCapUntilMs: 8 }],
  ["the cap's end", { powerModeCapUntilMs: 9 }, { powerModeCap: "90W", powerModeCapUntilMs: 9 }],
])("a change says %s; the rest stays", async (_name, change, expected) => {
  await desired.change("a", { role: "standby", powerMode: "70W", powerModeCap: "90W", ...until }, "first");
  expect(await desired.change("a", change, "second")).toMatchObject({ ...expected, version: 2, reason: "second" });
});

test("a cap that ends leaves no trace: earlier agents don't know it", async () => {
  await desired.change("a", { powerModeCap: "90W", powerModeCapUntilMs: 8 }, "first");
  const document = await desired.change("a", { powerModeCap: null, powerModeCapUntilMs: null }, "second");
  expect(Object.keys(document)).not.toContain("powerModeCap");
  expect(Object.keys(document)).not.toContain("powerModeCapUntilMs");
});

test("without a document, an agent keeps the role it has", async () => {
  fleet.put(anAgent({ agentId: "a", presence: { role: "standby" } }));
  expect((await desired.change("a", {}, "")).role).toBe("standby");
  fleet.put(anAgent({ agentId: "silent", presence: null }));
  expect((await desired.change("silent", {}, "")).role).toBe("active");
});

test.each([
  { name: "after the one that the agent has seen", seen: 41, before: 1, version: 42 },
  { name: "after its own", seen: 0, before: 3, version: 4 },
  { name: "up to the largest", seen: bounds.count32 - 1, before: 0, version: bounds.count32 },
  { name: "from the start, where the agent's is forged", seen: bounds.count32, before: 0, version: 1 },
])("the version comes $name", async ({ seen, before, version }) => {
  for (let count = 0; count < before; count += 1) await desired.change("a", {}, "");
  fleet.put(anAgent({ agentId: "a", reported: { desiredVersion: seen } }));
  expect((await desired.change("a", {}, "")).version).toBe(version);
});

test("a broker that is away gets the documents when it is back", async () => {
  broker.setConnected(false);
  await desired.change("a", {}, "");
  await desired.change("b", {}, "");
  expect(published()).toEqual([]);
  broker.setConnected(true);
  await desired.publishAll();
  await desired.publishAgain("b");
  await desired.publishAgain("unknown");
  expect(published().map(([topic]) => topic)).toEqual(
    ["a", "b", "b"].map((id) => `thormesh/v1/f/agents/${id}/desired`),
  );
});

describe("what is stored", () => {
  test("is there after a restart, and published only when asked", async () => {
    await desired.change("a", { role: "standby" }, "");
    await desired.setOverride(override);
    broker.published.length = 0;
    const later = documentsOn();
    expect([later.documents.size, later.overrides.size]).toEqual([0, 0]);
    await later.recover();
    expect(later.documents.get("a")).toEqual(desired.documents.get("a") as never);
    expect(later.overrides.get("a")).toEqual(override);
    expect(broker.published).toEqual([]);
  });

  test("ends with an override, and with an agent", async () => {
    await desired.setOverride(override);
    await desired.removeOverride("a");
    expect([desired.overrides.size, await store.loadOverrides()]).toEqual([0, []]);
    await desired.change("a", {}, "");
    await desired.setOverride(override);
    await desired.forget("a");
    expect([desired.documents.size, desired.overrides.size]).toEqual([0, 0]);
    expect([await store.loadDesired(), await store.loadOverrides()]).toEqual([[], []]);
  });
});

test("documents are published with an order, stored without one, and signed anew in half of its time", async () => {
  let nowMs = 1_000;
  const key = newKey();
  const seals = createOrderSeals({ key, fleet: "f", term: 1 });
  const sealed = createDesiredDocuments({ fleetName: "f", fleet, store, broker, seals, nowMs: () => nowMs, log });
  await sealed.change("a", {}, "why");
  expect(await store.loadDesired()).toEqual([expect.not.objectContaining({ order: expect.anything() })]);
  nowMs += documentValidMs / 2;
  await sealed.renewSeals();
  expect(broker.published).toHaveLength(1);
  nowMs += 1;
  await sealed.renewSeals();
  const [first, second, ...more] = broker.published.map(({ payload }) => payload);
  expect(more).toEqual([]);
  for (const payload of [first, second]) {
    const bytes = new TextEncoder().encode(payload);
    expect(isSealed(key, { fleet: "f", channel: "desired" }, bytes)).toBe(true);
  }
  const orderOf = (payload = "") => JSON.parse(payload).order;
  expect([orderOf(first).sequence, orderOf(second).sequence]).toEqual([1, 2]);
  expect(orderOf(second).expiresAtMs).toBe(Math.round(nowMs + documentValidMs));
});
