import { beforeEach, expect, test } from "bun:test";
import { AccessPublisher } from "#controller/access/access-publisher.ts";
import type { Limits } from "#controller/access/decide-ceilings.ts";
import { KeyRing } from "#controller/access/key-ring.ts";
import { Tenants } from "#controller/access/tenants.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { decodeMessage, maxMessageBytes } from "#protocol/codec.ts";
import { accessLimits, FleetAccess } from "#protocol/messages.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");
let nowMs = 1_000_000;
let store: Store;
let keys: KeyRing;
let tenants: Tenants;
let sent: { topic: string; retain: boolean; access: FleetAccess }[];
const broker = { connected: true, isFailing: false };

const publisherOn = () =>
  new AccessPublisher({
    ...{ fleetName: "f", keys, tenants, store, nowMs: () => nowMs, log },
    devices: { told: () => devices },
    ceilings: { of: (tenant) => ceilings[tenant] ?? null },
    ...(tariffs === null ? {} : { tariffs: () => tariffs ?? [] }),
    quotas: { of: () => undefined, save: async () => {} },
    shares: { of: () => ({ shares: [{ agentId: "a", share: 0.9 }], otherShare: 0.1 }) },
    broker: {
      get connected() {
        return broker.connected;
      },
      async publish(topic, payload, { retain }) {
        if (broker.isFailing) throw new Error("gone");
        const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
        const decoded = decodeMessage(FleetAccess, bytes);
        if (!decoded.ok) throw new Error(decoded.reason);
        sent.push({ topic, retain, access: decoded.message });
      },
    },
  });
let publisher: AccessPublisher;
let ceilings: Record<string, Limits>;
let devices: FleetAccess["devices"] | null;
let tariffs: NonNullable<FleetAccess["tariffs"]> | null = null;

beforeEach(() => {
  nowMs = 1_000_000;
  store = createMemoryStore();
  keys = new KeyRing({ store, nowMs: () => nowMs, log, hasOtherKeys: false });
  tenants = new Tenants({ store, nowMs: () => nowMs });
  sent = [];
  devices = null;
  ceilings = {};
  tariffs = null;
  broker.connected = true;
  broker.isFailing = false;
  publisher = publisherOn();
});

test("the audit log's newest entry is told with every message, and for itself alone every ten minutes", async () => {
  const draft = {
    ...{ atMs: 1, actor: "root", role: "admin", from: "local", action: "a", target: "t", phase: "done" as const },
    ...{ of: null, before: null, after: null, reason: null },
  };
  const first = await store.appendAudit(draft);
  await publisher.publish();
  const second = await store.appendAudit(draft);
  nowMs += 600_000;
  await publisher.publish();
  expect(sent.map(({ access }) => access.audit)).toEqual([{ seq: first.seq, hash: first.hash }]);
  nowMs += 1;
  await publisher.publish();
  await publisher.publish();
  expect(sent.map(({ access }) => access.audit?.hash)).toEqual([first.hash, second.hash]);
});

test("nothing is said before the first tenant, nor of the API's own keys", async () => {
  await keys.create({ name: "root", role: "admin", expiresInS: null });
  await publisher.publish(true);
  expect(sent).toEqual([]);
});

test("tenants and their valid keys are told when they change, and again when asked to", async () => {
  await tenants.create("red", { models: ["mini"], regions: ["eu"], costCentre: "4711" });
  const made = await keys.create({ name: "red's", role: "embed", expiresInS: 60, tenant: "red" });
  await publisher.publish();
  await publisher.publish();
  const key = { id: made.key.id, hash: expect.any(String), tenant: "red", expiresAtMs: nowMs + 60_000 };
  const red = { tenant: "red", suspended: false, models: ["mini"], regions: ["eu"] };
  expect(sent).toEqual([
    {
      topic: "thormesh/v1/f/controller/access",
      retain: true,
      access: { v: 1, sentAtMs: nowMs, tenants: [red], keys: [key] },
    },
  ]);
  expect(JSON.stringify(sent)).not.toContain(made.secret);
  await publisher.publish(true);
  expect(sent).toHaveLength(2);
  await tenants.update("red", { suspended: true });
  nowMs += 60_000;
  await publisher.publish();
  expect(sent[2]?.access).toMatchObject({ tenants: [{ suspended: true }], keys: [] });
  await tenants.remove("red");
  await publisher.publish();
  expect(sent[3]?.access).toMatchObject({ tenants: [], keys: [] });
});

test("prices by the hour are told without a tenant, when they change, and no longer when there are none", async () => {
  const eu = { region: "eu", fromMs: 0, usdPerKwh: [0.3, 0.1] };
  tariffs = [];
  publisher = publisherOn();
  await publisher.publish();
  expect(sent).toEqual([]);
  tariffs = [eu];
  await publisher.publish();
  await publisher.publish();
  tariffs = [{ ...eu, fromMs: 43_200_000 }];
  await publisher.publish();
  tariffs = [];
  await publisher.publish();
  expect(sent.map(({ access }) => access.tariffs)).toEqual([[eu], [{ ...eu, fromMs: 43_200_000 }], undefined]);
});

test("prices by the hour give way to tenants and keys", async () => {
  const models = Array.from({ length: accessLimits.maxNames }, (_, index) => `${index}`.padEnd(128, "m"));
  for (let tenant = 0; tenant < 49; tenant += 1) await tenants.create(`t${tenant}`, { models });
  const eu = { region: "eu", fromMs: 0, usdPerKwh: [0.3, 0.1] };
  tariffs = Array.from({ length: 32 }, (_, index) => ({ ...eu, region: `${index}` }));
  publisher = publisherOn();
  await publisher.publish();
  expect(sent.map(({ access }) => [access.tenants.length, access.tariffs])).toEqual([[49, undefined]]);
  await tenants.remove("t0");
  await publisher.publish();
  expect(sent[1]?.access.tariffs).toHaveLength(32);
});

test("a key's models and regions are told, and kept when it is rotated", async () => {
  await tenants.create("red", {});
  const scope = { models: ["mini"], regions: null };
  const made = await keys.create({ name: "line", role: "embed", expiresInS: null, tenant: "red", scope });
  await keys.rotate(made.key.id, 60);
  await keys.create({ name: "all", role: "embed", expiresInS: null, tenant: "red" });
  await publisher.publish();
  const told = sent[0]?.access.keys ?? [];
  expect(told.map(({ models, regions }) => [models, regions])).toEqual([
    [["mini"], null],
    [["mini"], null],
    [undefined, undefined],
  ]);
  await expect(keys.create({ name: "root", role: "admin", expiresInS: null, scope })).rejects.toThrow(
    "models, regions: expected none with role admin",
  );
});

test("limits are told with the agents' parts of them, where a tenant has any", async () => {
  await tenants.create("red", { requestsPerMinute: 600, tokensPerMinute: null });
  await tenants.create("blue", { requestsPerMinute: null });
  await publisher.publish();
  expect(sent[0]?.access.tenants).toMatchObject([
    { tenant: "blue" },
    {
      tenant: "red",
      limits: { requests: 600, texts: null, tokens: null },
      shares: [{ agentId: "a", share: 0.9 }],
      otherShare: 0.1,
    },
  ]);
  expect(sent[0]?.access.tenants[0]).not.toHaveProperty("limits");
});

test("the lower of a tenant's own limit and a budget's is told, of this tenant alone", async () => {
  await tenants.create("red", { requestsPerMinute: 600, textsPerMinute: 70, tokensPerMinute: 90 });
  await tenants.create("blue", {});
  await tenants.create("green", {});
  ceilings = { red: { requests: 45, tokens: 450 }, blue: { requests: null, tokens: 7 } };
  await publisher.publish();
  expect(sent[0]?.access.tenants.map(({ tenant, limits }) => [tenant, limits])).toEqual([
    ["blue", { requests: null, texts: null, tokens: 7 }],
    ["green", undefined],
    ["red", { requests: 45, texts: 70, tokens: 90 }],
  ]);
  ceilings = {};
  await publisher.publish();
  expect(sent[1]?.access.tenants.map(({ limits }) => limits)).toEqual([
    undefined,
    undefined,
    { requests: 600, texts: 70, tokens: 90 },
  ]);
});

test("room is what is left of a message", async () => {
  await tenants.create("red", {});
  expect([publisher.hasRoom(1000), publisher.hasRoom(maxMessageBytes)]).toEqual([true, false]);
});

test("each message is later than the one before, also after a restart with a clock that was set back", async () => {
  await tenants.create("red", {});
  await publisher.publish();
  await tenants.create("blue", {});
  await publisher.publish();
  nowMs -= 500_000;
  publisher = publisherOn();
  await publisher.publish();
  expect(sent.map(({ access }) => access.sentAtMs)).toEqual([1_000_000, 1_000_001, 1_000_002]);
});

test("what a broker does not take is sent the next time", async () => {
  await tenants.create("red", {});
  broker.isFailing = true;
  await publisher.publish();
  broker.isFailing = false;
  broker.connected = false;
  await publisher.publish();
  expect(sent).toEqual([]);
  broker.connected = true;
  await publisher.publish();
  expect(sent).toHaveLength(1);
});

test("more than a message holds is refused before it is made", async () => {
  publisher.assertRoom(1000);
  expect(() => publisher.assertRoom(260_000)).toThrow("agents not updated: 0 keys and 0 tenants");
});

test("tenants: a name is taken once, default never, and only those that are there are changed", async () => {
  await tenants.create("red", {});
  await expect(tenants.create("red", {})).rejects.toMatchObject({ code: "CONFLICT" });
  await expect(tenants.create("default", {})).rejects.toMatchObject({ code: "CONFLICT" });
  await expect(tenants.update("blue", {})).rejects.toThrow("there is no tenant blue");
  await expect(tenants.remove("blue")).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await tenants.update("red", { costCentre: "1" })).settings).toEqual({
    ...{ suspended: false, models: null, regions: null, costCentre: "1" },
  });
  const again = new Tenants({ store, nowMs: () => nowMs });
  await again.load();
  expect(again.list().map(({ id }) => id)).toEqual(["red"]);
});

test("agents are told which devices were revoked, at once, also where there are no tenants", async () => {
  await publisher.publish();
  expect(sent).toEqual([]);
  devices = { revokedKeys: [], revokedAgents: [], passwordsUntilMs: null };
  await publisher.publish();
  devices = { ...devices, revokedKeys: ["k".repeat(43)], revokedAgents: ["thor-1"] };
  await publisher.publish();
  await publisher.publish();
  expect(sent.map(({ access }) => access.devices?.revokedAgents)).toEqual([[], ["thor-1"]]);
});

test("tenants leave room for as many revoked devices as agents are told of", async () => {
  const full = "x".repeat(64);
  devices = {
    revokedKeys: Array.from({ length: accessLimits.maxRevoked }, () => "k".repeat(43)),
    revokedAgents: Array.from({ length: accessLimits.maxRevoked }, () => full),
    passwordsUntilMs: 2_000_000_000_000,
  };
  const room = (() => {
    for (let bytes = maxMessageBytes; ; bytes -= 100)
      try {
        publisher.assertRoom(bytes);
        return bytes;
      } catch {
        // It does not fit.
      }
  })();
  expect(room + Buffer.byteLength(JSON.stringify(devices))).toBeLessThan(maxMessageBytes);
});
