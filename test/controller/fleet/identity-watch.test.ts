import { beforeEach, expect, test } from "bun:test";
import { IdentityWatch } from "#controller/fleet/identity-watch.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import type { Presence } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import { aPresence } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

let broker: RecordingBroker;
let store: Store;

beforeEach(async () => {
  broker = createRecordingBroker();
  store = createMemoryStore();
  const log = createLogger("test", "silent");
  new IdentityWatch({ fleetName: "f", store, broker, nowMs: () => 1000, log }).start();
  await broker.deliver(agentTopic("f", "thor-1", "presence"), aPresence({ url: "http://10.0.0.7:8080" }));
});

const reasons = async () => (await store.decisions({ limit: 9 })).map(({ reason }) => reason);
const say = (otherFleet: string, given: Partial<Presence>) =>
  broker.deliver(agentTopic(otherFleet, given.agentId ?? "thor-1", "presence"), aPresence(given));

test("a device that serves two fleets is on record once for each other fleet", async () => {
  await say("g", { url: "http://10.0.0.7:9090" });
  await say("g", { url: "http://10.0.0.7:9090" });
  await say("h", { url: "http://10.0.0.7:9090" });
  const said = await reasons();
  expect(said.length).toBe(2);
  expect(said[1]).toMatch(/^thor-1: the device at 10\.0\.0\.7 also serves fleet g/);
});

test("whichever of the two was heard of first", async () => {
  await say("g", { agentId: "thor-9", url: "http://10.0.0.9:9090" });
  expect(await reasons()).toEqual([]);
  await say("f", { agentId: "thor-9", url: "http://10.0.0.9:8080" });
  expect((await reasons()).length).toBe(1);
});

test("one that has left the other fleet before is in one only", async () => {
  await say("g", { agentId: "thor-9", url: "http://10.0.0.9:9090" });
  await say("g", { agentId: "thor-9", url: "http://10.0.0.9:9090", status: "offline" });
  await say("f", { agentId: "thor-9", url: "http://10.0.0.9:8080" });
  expect(await reasons()).toEqual([]);
});

test.each<[string, string, Partial<Presence>]>([
  ["its own fleet", "f", { url: "http://10.0.0.7:8080" }],
  ["another device of the same name", "g", { url: "http://10.0.0.8:8080" }],
  ["another agent of that host", "g", { agentId: "thor-2", url: "http://10.0.0.7:9090" }],
  ["one that has left", "g", { url: "http://10.0.0.7:9090", status: "offline" }],
  ["an address that is none", "g", { url: "nonsense" }],
])("%s is no second fleet", async (_name, otherFleet, given) => {
  await say(otherFleet, given);
  expect(await reasons()).toEqual([]);
});

test("a message that is none is left alone", async () => {
  await broker.deliver(agentTopic("g", "thor-1", "presence"), { v: 7 } as never);
  expect(await reasons()).toEqual([]);
});

test("two devices that go by one name are on record, once", async () => {
  const first = { bootId: "boot-1", url: "http://10.0.0.7:8080" };
  const second = { bootId: "boot-2", url: "http://10.0.0.8:8080" };
  for (const given of [second, first, second, first]) await say("f", given);
  expect(await reasons()).toEqual([
    "thor-1: two agents use this name, at http://10.0.0.7:8080 and at http://10.0.0.8:8080, and each takes the other's connection: give one of them another id or, if one uses a copy of the other's certificate, run thormesh agents revoke thor-1",
  ]);
});

test("an agent that restarts, or loses its connection, is one", async () => {
  await say("f", { bootId: "boot-1", status: "offline" });
  await say("f", { bootId: "boot-1" });
  for (let boot = 2; boot < 9; boot += 1) {
    await say("f", { bootId: `boot-${boot}` });
    await say("f", { bootId: `boot-${boot - 1}`, status: "offline" });
    await say("f", { bootId: `boot-${boot}` });
  }
  expect(await reasons()).toEqual([]);
});

test("of a device that serves fleets without end eight are remembered", async () => {
  for (let each = 2; each <= 12; each += 1) await say(`fleet-${each}`, { url: "http://10.0.0.7:9090" });
  const said = await reasons();
  // Its own fleet is one of the eight.
  expect(said).toHaveLength(7);
  expect(said.join()).toContain("fleet-8");
  expect(said.join()).not.toContain("fleet-9");
});

test("presences of foreign names without end push no decision out, nor fill the record", async () => {
  const decision = await store.insertDecision({
    atMs: 1,
    kind: "scale-out",
    rule: "test",
    reason: "a real one",
    agents: [],
    inputs: {},
    outcome: { activated: [], stoodBy: [], skipped: [] },
  });
  for (let each = 0; each < 3000; each += 1) await say(`fleet-${each}`, { url: "http://10.0.0.7:9090" });
  for (let each = 0; each < 300; each += 1) {
    const agentId = `thor-${each + 2}`;
    await say("f", { agentId, url: "http://10.0.0.7:9090" });
    await say("g", { agentId, url: "http://10.0.0.7:9090" });
  }
  expect((await store.decisions({ limit: 1000, kind: "note" })).length).toBeLessThanOrEqual(20);
  expect(await store.decision(decision)).not.toBeNull();
});
