import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { createFleetOrders, type FleetOrders } from "#agent/enrolment/fleet-orders.ts";
import { followLimits } from "#agent/mesh/peer-follower.ts";
import { type FleetListener, Reporter } from "#agent/telemetry/reporter.ts";
import { createOrderSeals } from "#controller/identity/order-seals.ts";
import { makeAuthority } from "#platform/certificates/certificate-authority.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import type {
  Ack,
  Birth,
  Command,
  CommandResult,
  Desired,
  FleetAccess,
  Presence,
  Reported,
} from "#protocol/messages.ts";
import { createRecordingBroker, type RecordingBroker } from "../../fakes/memory-broker.ts";

const envelope = { v: 1 as const, agentId: "a", bootId: "b1", sentAtMs: 5 };
const presence: Presence = {
  ...envelope,
  status: "online",
  role: "active",
  url: "http://x",
  region: "",
  version: "1",
  models: [],
};
const birth: Birth = {
  ...envelope,
  url: "http://x",
  region: "",
  version: "1",
  board: { kind: "none", name: "", powerModes: [] },
  models: [],
  prices: { tariffUsdPerKwh: null, amortisationUsdPerHour: null },
  tags: {},
};
const reported: Reported = { ...envelope, desiredVersion: null, role: "active", powerMode: null, differs: [] };
const desired: Desired = {
  v: 1,
  agentId: "a",
  version: 1,
  issuedAtMs: 1,
  role: "standby",
  powerMode: null,
  powerModeUntilMs: null,
  reason: "quiet",
};
const command: Command = { v: 1, id: "c1", agentId: "a", kind: "drain", issuedAtMs: 0, expiresAtMs: 100 };
const topic = (channel: string, agentId = "a") => `thormesh/v1/f/agents/${agentId}/${channel}`;

let broker: RecordingBroker;
let heard: {
  acks: Ack[];
  desired: Desired[];
  peers: Presence[];
  forgotten: string[];
  commands: Command[];
  connections: number;
};
let commandOutcome: () => Promise<string>;

let logged: string;

function begin(change: Partial<FleetListener> = {}, shown = presence, nowMs = 50, orders?: FleetOrders) {
  logged = "";
  heard = { acks: [], desired: [], peers: [], forgotten: [], commands: [], connections: 0 };
  commandOutcome = async () => "drained";
  const listener: FleetListener = {
    onPeerPresence: (message) => heard.peers.push(message),
    onPeerForgotten: (agentId) => heard.forgotten.push(agentId),
    onControllerState: () => {},
    onDesired: (message) => heard.desired.push(message),
    onAck: (message) => heard.acks.push(message),
    onCommand: (message) => {
      heard.commands.push(message);
      return commandOutcome();
    },
    onConnected: () => {
      heard.connections += 1;
    },
    ...change,
  };
  broker = createRecordingBroker();
  const reporter = new Reporter({
    broker,
    identity: { fleet: "f", agentId: "a", bootId: "b1" },
    reportable: { presence: () => shown, birth: () => birth, reported: () => reported },
    listener,
    followLimits: { ...followLimits, listWithinMs: 0 },
    ...(orders === undefined ? {} : { orders }),
    nowMs: () => nowMs,
    log: pino(
      { level: "info" },
      {
        write(line: string) {
          logged += line;
        },
      },
    ),
  });
  reporter.start();
  return reporter;
}

async function settle() {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

const results = () =>
  broker.published
    .filter((message) => message.topic === topic("cmd-result"))
    .map(({ payload }) => JSON.parse(payload) as CommandResult)
    .map(({ id, state, reason }) => [id, state, reason]);

beforeEach(() => void begin());

describe("reporter", () => {
  test("on every connection it says presence, birth, reported, in this order, retained as the protocol says", async () => {
    broker.setConnected(true);
    await settle();
    broker.setConnected(false);
    broker.setConnected(true);
    await settle();
    const once = [
      [topic("presence"), true],
      [topic("birth"), false],
      [topic("reported"), true],
    ];
    expect(broker.published.map((message) => [message.topic, message.retain])).toEqual([...once, ...once]);
    expect(heard.connections).toBe(2);
  });

  test("passes on its desired document, and others' presence", async () => {
    await broker.inject(topic("desired"), desired);
    await broker.inject(topic("presence", "p"), { ...presence, agentId: "p" });
    expect(heard.desired).toEqual([desired]);
    expect(heard.peers.map(({ agentId }) => agentId)).toEqual(["p"]);
  });

  test.each([
    ["not JSON", topic("desired"), "{"],
    ["another agent's document", topic("desired"), { ...desired, agentId: "z" }],
    ["a presence that names another agent than its topic", topic("presence", "p"), { ...presence, agentId: "q" }],
    ["an unknown command", topic("cmd"), { ...command, kind: "explode" }],
    ["a controller state of nonsense", "thormesh/v1/f/controller/state", 7],
  ])("refuses %s, counts it, and goes on", async (_name, where, message) => {
    const reporter = begin();
    await broker.inject(where, message);
    expect(reporter.refusedMessages).toBe(1);
    await broker.inject(topic("desired"), desired);
    expect(heard.desired).toEqual([desired]);
    expect(heard.commands).toEqual([]);
  });

  test("a command goes through its states; a repeat of its id is answered, not run again", async () => {
    broker.setConnected(true);
    await settle();
    await broker.inject(topic("cmd"), command);
    await settle();
    await broker.inject(topic("cmd"), command);
    await settle();
    expect(heard.commands).toHaveLength(1);
    expect(results()).toEqual([
      ["c1", "received", ""],
      ["c1", "running", ""],
      ["c1", "succeeded", "drained"],
      ["c1", "succeeded", "drained"],
    ]);
  });

  test.each([
    ["that holds for longer than an hour", { expiresAtMs: 3_600_001 }],
    ["issued far ahead of this device's clock", { issuedAtMs: 3_600_051, expiresAtMs: 3_600_052 }],
  ])("a command %s is not run", async (_name, given) => {
    const reporter = begin();
    broker.setConnected(true);
    await broker.inject(topic("cmd"), { ...command, ...given });
    await settle();
    expect(heard.commands).toEqual([]);
    expect(results().map(([, state]) => state)).toEqual(["failed"]);
    expect(reporter.refusedMessages).toBe(0);
  });

  test.each([
    { powerModeUntilMs: 32 * 86_400_000 },
    { powerModeUntilMs: null, powerModeCapUntilMs: 4_000_000_000_000 },
  ])("a document that holds a power mode without end is refused: %p", async (given) => {
    const reporter = begin();
    await broker.inject(topic("desired"), { ...desired, powerMode: "MAXN", ...given });
    await broker.inject(topic("desired"), { ...desired, powerMode: "MAXN", powerModeUntilMs: 30 * 86_400_000 });
    expect(heard.desired).toHaveLength(1);
    expect(reporter.refusedMessages).toBe(1);
  });

  test("a command that a broker has kept is not run", async () => {
    const reporter = begin();
    broker.setConnected(true);
    await broker.inject(topic("cmd"), command, true);
    await settle();
    expect(heard.commands).toEqual([]);
    expect(reporter.refusedMessages).toBe(1);
  });

  test("a presence that was taken away is a peer that is gone; a document that was is nothing new", async () => {
    const reporter = begin();
    await broker.inject(topic("presence", "b"), "");
    await broker.inject(topic("desired"), "");
    expect(heard.forgotten).toEqual(["b"]);
    expect(heard.desired).toEqual([]);
    expect(reporter.refusedMessages).toBe(0);
  });

  test("a command that comes too late has expired; one that fails says why", async () => {
    broker.setConnected(true);
    await broker.inject(topic("cmd"), { ...command, id: "late", expiresAtMs: 49 });
    await settle();
    commandOutcome = () => Promise.reject(new Error("cannot"));
    await broker.inject(topic("cmd"), command);
    await settle();
    expect(heard.commands.map(({ id }) => id)).toEqual(["c1"]);
    expect(results().filter(([, state]) => state !== "received" && state !== "running")).toEqual([
      ["late", "expired", "it arrived after it had expired"],
      ["c1", "failed", "cannot"],
    ]);
  });

  test("an answer has its time in whole milliseconds", async () => {
    begin({}, presence, 50.6);
    broker.setConnected(true);
    await broker.inject(topic("cmd"), command);
    await settle();
    const answers = broker.published.filter((message) => message.topic === topic("cmd-result"));
    expect(new Set(answers.map(({ payload }) => JSON.parse(payload).sentAtMs))).toEqual(new Set([51]));
  });

  test("rebirth says everything again", async () => {
    broker.setConnected(true);
    await settle();
    broker.published.length = 0;
    await broker.inject(topic("cmd"), { ...command, kind: "rebirth" });
    await settle();
    expect(broker.published.map((message) => message.topic.split("/").at(-1))).toEqual([
      "cmd-result",
      "presence",
      "birth",
      "reported",
      "cmd-result",
    ]);
  });

  test("a rebirth has no state running, for it is done at once", async () => {
    broker.setConnected(true);
    await settle();
    await broker.inject(topic("cmd"), { ...command, kind: "rebirth" });
    await settle();
    expect(results().map(([, state]) => state)).toEqual(["received", "succeeded"]);
    expect(heard.commands).toEqual([]);
  });

  test.each([
    ["at the very time of its expiry", { expiresAtMs: 50 }],
    ["of just an hour", { issuedAtMs: 0, expiresAtMs: 3_600_000 }],
    ["issued just an hour ahead", { issuedAtMs: 3_600_050, expiresAtMs: 3_600_060 }],
  ])("a command %s is run", async (_name, given) => {
    broker.setConnected(true);
    await broker.inject(topic("cmd"), { ...command, ...given });
    await settle();
    expect(heard.commands).toHaveLength(1);
  });

  test("a power mode may be held for just 31 days", async () => {
    const untilMs = desired.issuedAtMs + 31 * 86_400_000;
    await broker.inject(topic("desired"), { ...desired, powerMode: "MAXN", powerModeUntilMs: untilMs });
    expect(heard.desired).toHaveLength(1);
    await broker.inject(topic("desired"), { ...desired, powerMode: "MAXN", powerModeUntilMs: untilMs + 1 });
    expect(heard.desired).toHaveLength(1);
  });

  test("the answers to the last 100 commands are remembered", async () => {
    broker.setConnected(true);
    for (let count = 0; count <= 100; count += 1) {
      await broker.inject(topic("cmd"), { ...command, id: `c${count}` });
      await settle();
    }
    await broker.inject(topic("cmd"), { ...command, id: "c1" });
    await settle();
    expect(heard.commands).toHaveLength(101);
    await broker.inject(topic("cmd"), { ...command, id: "c0" });
    await settle();
    expect(heard.commands).toHaveLength(102);
  });

  test("a long reason is cut to what a message may hold", async () => {
    commandOutcome = async () => "x".repeat(513);
    broker.setConnected(true);
    await broker.inject(topic("cmd"), command);
    await settle();
    expect(results().at(-1)).toEqual(["c1", "succeeded", "x".repeat(512)]);
  });

  test("a publish that fails does not keep what follows from being published", async () => {
    broker.failNextPublishes(1);
    broker.setConnected(true);
    await settle();
    expect(broker.published.map((message) => message.topic)).toEqual([topic("birth"), topic("reported")]);
    expect(heard.connections).toBe(1);
  });

  test("documents of other agents are passed on where they are asked for; those of itself, and on another's topic, are not", async () => {
    const seen: Desired[] = [];
    begin({ onPeerDesired: (document) => seen.push(document) });
    await broker.inject(topic("desired", "p"), { ...desired, agentId: "p" });
    await broker.inject(topic("desired", "p"), { ...desired, agentId: "q" });
    await broker.inject(topic("desired", "p"), { ...desired, agentId: "a" });
    await broker.inject(topic("desired", "p"), "{");
    await broker.inject(topic("desired"), desired);
    expect(seen.map(({ agentId }) => agentId)).toEqual(["p"]);
  });

  test("what was refused, and what was clamped to its bounds, is logged", async () => {
    const reporter = begin({}, { ...presence, models: ["x".repeat(10_000)] });
    await broker.inject(topic("desired"), "{");
    expect(logged).toContain("a message was refused");
    broker.setConnected(true);
    await reporter.publishPresence();
    expect(logged).toContain("a message of this agent was clamped to its bounds");
  });

  test("the end of its presence is published as it is given", async () => {
    const reporter = begin();
    broker.setConnected(true);
    await settle();
    await reporter.publishDisconnect({ ...presence, status: "offline" });
    const last = broker.published.at(-1);
    expect(last).toMatchObject({ topic: topic("presence"), retain: true });
    expect(JSON.parse(last?.payload ?? "")).toMatchObject({ status: "offline" });
  });
});

test("acknowledgements reach the listener, but not those for another agent", async () => {
  begin();
  broker.setConnected(true);
  const ack: Ack = { v: 1, agentId: "a", sentAtMs: 1, stored: [{ bootId: "b1", fromSeq: 1, toSeq: 2 }], refused: [] };
  await broker.inject(topic("ack"), ack);
  await broker.inject(topic("ack"), { ...ack, agentId: "b" });
  await broker.inject(topic("ack"), { ...ack, stored: [{ bootId: "b1", fromSeq: 0, toSeq: 2 }] });
  expect(heard.acks).toEqual([ack]);
});

describe("on a device that has joined", () => {
  const key = newKey();
  const seals = createOrderSeals({ key, fleet: "f", term: 1 });
  async function beginJoined() {
    const authority = await makeAuthority(key, "f", Date.now());
    const memory = { load: () => null, save: () => undefined };
    const orders = createFleetOrders({ fleet: "f", authority, memory, nowMs: () => 50 });
    const peerDesired: Desired[] = [];
    const told: FleetAccess[] = [];
    const listener = {
      onPeerDesired: (document: Desired) => void peerDesired.push(document),
      onAccess: (access: FleetAccess) => void told.push(access),
    };
    begin(listener, presence, 50, orders);
    broker.setConnected(true);
    await settle();
    return { orders, peerDesired, told };
  }

  test("unsigned documents and commands have no effect, signed ones do, once", async () => {
    const { orders } = await beginJoined();
    await broker.inject(topic("desired"), desired);
    await broker.inject(topic("cmd"), command);
    expect([heard.desired, heard.commands]).toEqual([[], []]);
    expect(logged).toContain("it is not signed, and this device obeys only its fleet's authority");
    const sealed = seals.seal("desired", desired, 100);
    await broker.inject(topic("desired"), sealed);
    await broker.inject(topic("desired"), sealed);
    expect(heard.desired).toEqual([sealed]);
    const drain = seals.seal("cmd", command, 100);
    await broker.inject(topic("cmd"), drain);
    await settle();
    expect(heard.commands).toEqual([drain]);
    await broker.inject(topic("cmd"), drain);
    await settle();
    // The same once more gets the same answer, and is not run again.
    expect(heard.commands).toHaveLength(1);
    expect(results().filter(([, state]) => state === "succeeded")).toHaveLength(2);
    expect([...orders.refused()]).toEqual([["unsigned", 2]]);
  });

  test("tenants and keys count only as the authority signed them, for their own channel", async () => {
    const { orders, told } = await beginJoined();
    const access: FleetAccess = { v: 1, sentAtMs: 1, tenants: [], keys: [] };
    const sealed = seals.seal("access", access, 100);
    const forged = { ...sealed, keys: [{ id: "aaaaaaaa", hash: "0".repeat(64), tenant: "red", expiresAtMs: null }] };
    for (const message of [access, forged, seals.seal("desired", access, 100)])
      await broker.inject("thormesh/v1/f/controller/access", message);
    expect(told).toEqual([]);
    await broker.inject("thormesh/v1/f/controller/access", sealed);
    expect(told).toEqual([sealed]);
    expect([...orders.refused()]).toEqual([
      ["unsigned", 1],
      ["forged", 2],
    ]);
  });

  test("a command that was run before a restart is not run again", async () => {
    const drain = seals.seal("cmd", { ...command, id: "c2" }, 100);
    const { orders } = await beginJoined();
    orders.take("cmd", drain, new TextEncoder().encode(JSON.stringify(drain)));
    await broker.inject(topic("cmd"), drain);
    await settle();
    expect(heard.commands).toEqual([]);
  });

  test("documents of peers count only when they are signed", async () => {
    const { peerDesired } = await beginJoined();
    const ofPeer = { ...desired, agentId: "p" };
    await broker.inject(topic("desired", "p"), ofPeer);
    expect(peerDesired).toEqual([]);
    const sealed = seals.seal("desired", ofPeer, 100);
    await broker.inject(topic("desired", "p"), sealed);
    expect(peerDesired).toEqual([sealed]);
  });
});
