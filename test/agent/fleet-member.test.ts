import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { FleetMember, type FleetMemberParts } from "#agent/fleet-member.ts";
import { createDesiredDocument } from "#agent/mesh/desired-document.ts";
import { createMembership, type Membership } from "#agent/mesh/membership.ts";
import { followLimits } from "#agent/mesh/peer-follower.ts";
import { createPeers } from "#agent/mesh/peers.ts";
import { SleepConfig } from "#agent/power/sleep/sleep-config.ts";
import { createSelfDescription } from "#agent/self-description.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { Outbox } from "#agent/telemetry/outbox.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { Desired, ForecastReport } from "#protocol/messages.ts";
import { aDesired, aMinute, aPresence } from "../fakes/builders.ts";
import { createRecordingBroker, type RecordingBroker } from "../fakes/memory-broker.ts";

const forecast: ForecastReport = { madeAtMs: 0, model: "m", reason: "", stepMs: 60_000, qps: [1, 2] };
const topic = (channel: string, agentId = "thor-1") => `thormesh/v1/f/agents/${agentId}/${channel}`;
const controllerTopic = "thormesh/v1/f/controller/state";
const controllerIs = (status: string) => ({ v: 1, status, instanceId: "c", version: "1", sentAtMs: 1 });

let broker: RecordingBroker;
let steps: string[];
let membership: Membership;
let outbox: Outbox;
let nowMs: number;
let inFlight: number;
let mode: string;
/** Mode that the next evaluation sets. */
let nextMode: string;
const figures = { kind: "board", model: null, texts: null, targetP95Ms: null, calibratedAtMs: null };
let models: string[];
let leftAlone: string | null;
let training: Parameters<typeof createSelfDescription>[0]["training"];
const felt = { requests: 5, refused: 1, p95Ms: 20 };
let evaluated: Parameters<FleetMemberParts["power"]["evaluate"]>[0][];

function join(change: { sleep?: object; waitForController?: boolean; sendDelayMs?: number } = {}): FleetMember {
  const log = pino({ level: "silent" });
  const database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  const identity = { fleet: "f", agentId: "thor-1", bootId: "boot-1", region: "" };
  broker = createRecordingBroker();
  broker.start = async () => void steps.push("broker starts");
  broker.stop = async () => void steps.push("broker stops");
  outbox = new Outbox(database, { maxBytes: 1e6, maxAgeMs: 1e9 });
  membership = createMembership({
    configuredRole: "active",
    document: createDesiredDocument(database, () => nowMs, log),
    peers: createPeers({ ownAgentId: "thor-1", brokerUrl: "mqtt://127.0.0.1" }),
    brokerConnected: () => broker.connected,
    nowMs: () => nowMs,
    log,
  });
  const self = createSelfDescription({
    identity,
    config: { advertiseUrl: null, prices: { tariffUsdPerKwh: null, amortisationUsdPerHour: null }, tags: {} },
    serving: {
      url: "http://127.0.0.1:1",
      loadedModels: () => models.map((id) => ({ id, dimension: 1, revision: "", space: "" })),
    },
    power: {
      status: () =>
        ({
          ...{ board: "none", name: "", release: null, mode, modes: [], faults: [] },
          figures: { ...figures, corrections: { A: { capacity: 1, busyWatts: 1, idleWatts: 1 } } },
        }) as never,
      differs: () => null,
    },
    membership,
    ...(training === undefined ? {} : { training }),
    nowMs: () => nowMs,
  });
  const member = new FleetMember({
    identity,
    sleepConfig: parseConfig(SleepConfig, change.sleep ?? {}, "test"),
    waitForController: change.waitForController ?? true,
    ...(change.sendDelayMs === undefined ? {} : { sendDelayMs: change.sendDelayMs }),
    broker,
    membership,
    self,
    power: {
      get currentMode() {
        return { id: 0, name: mode };
      },
      async evaluate(circumstances) {
        steps.push("power");
        evaluated.push(circumstances);
        mode = nextMode;
      },
      status: () => ({ leftAlone }) as never,
    },
    cycle: { lastForecast: forecast, run: async () => void steps.push("cycle") },
    record: { liveQps: (atMs) => atMs / 1000 },
    felt: { felt: () => felt },
    serving: { inFlight: () => inFlight },
    outbox,
    followLimits: { ...followLimits, listWithinMs: 0 },
    nowMs: () => nowMs,
    log,
  });
  return member;
}

beforeEach(() => {
  training = undefined;
  [steps, evaluated, models, inFlight, mode, nextMode, nowMs, leftAlone] = [[], [], ["mini"], 0, "A", "A", 5_000, null];
});

async function settle() {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

/** Takes what was published since the last call: the channels, in order. */
function published(): string[] {
  return broker.published.splice(0).map((message) => message.topic.split("/").at(-1) ?? "");
}

const lastOf = (channel: string) => {
  const message = broker.published.findLast((each) => each.topic === topic(channel));
  return JSON.parse(message?.payload ?? "null");
};

async function connected(change: Parameters<typeof join>[0] = {}): Promise<FleetMember> {
  const member = join(change);
  member.start();
  broker.setConnected(true);
  await settle();
  return member;
}

const send = async (channel: string, message: unknown, agentId = "thor-1") => {
  await broker.inject(channel === "state" ? controllerTopic : topic(channel, agentId), message);
  await settle();
};

const desires = (given: Partial<Desired>) => send("desired", aDesired({ issuedAtMs: 6_000, ...given }));

describe("what the fleet says", () => {
  test("on a connection the agent presents itself", async () => {
    await connected();
    expect(published()).toEqual(["presence", "birth", "reported"]);
  });

  test("a document with another role is followed: role, power, and both are published", async () => {
    await connected();
    await send("state", controllerIs("online"));
    published();
    await desires({
      role: "standby",
      powerMode: "B",
      powerModeUntilMs: 7_000,
      powerModeCap: "C",
      powerModeCapUntilMs: 8_000,
    });
    expect(membership.role).toBe("standby");
    expect(evaluated).toEqual([
      {
        forecast,
        liveQps: 5,
        role: "standby",
        desiredMode: "B",
        desiredModeCap: "C",
        desiredModeUntilMs: 7_000,
        desiredModeCapUntilMs: 8_000,
        felt,
        nowMs: 5_000,
      },
    ]);
    expect(lastOf("presence")).toMatchObject({ status: "online", role: "standby" });
    expect(published()).toEqual(["presence", "reported"]);
  });

  test("a document with the same role is followed and reported, without a new presence", async () => {
    await connected();
    published();
    await desires({ powerModeCap: "C" });
    expect(evaluated).toHaveLength(1);
    expect(evaluated[0]).toMatchObject({ desiredMode: null, desiredModeUntilMs: null, desiredModeCapUntilMs: null });
    expect(lastOf("reported")).toMatchObject({ desiredVersion: 1 });
    expect(published()).toEqual(["reported"]);
  });

  test("a document that is not newer is not followed", async () => {
    await connected();
    await desires({ version: 2 });
    published();
    await desires({ version: 1, issuedAtMs: 5_999, role: "standby" });
    expect(membership.role).toBe("active");
    expect(published()).toEqual([]);
  });

  test("a standby agent serves when controller and peers are gone, and stands by again with a peer", async () => {
    await connected();
    await send("state", controllerIs("online"));
    await send("presence", aPresence({ agentId: "b" }), "b");
    await desires({ role: "standby" });
    await send("state", controllerIs("offline"));
    expect(membership.role).toBe("standby");
    await send("presence", "", "b");
    expect(membership.role).toBe("active");
    await send("presence", aPresence({ agentId: "b" }), "b");
    expect(membership.role).toBe("standby");
  });

  test("a lost connection makes the controller unknown, and a new one a chance to follow", async () => {
    await connected();
    await send("state", controllerIs("online"));
    await desires({ role: "standby" });
    broker.setConnected(false);
    expect(membership.controllerOnline).toBe(false);
    expect(membership.role).toBe("standby");
    broker.setConnected(true);
    await settle();
    expect(membership.role).toBe("active");
  });
});

describe("records", () => {
  const sent = () => broker.published.filter((message) => message.topic === topic("data")).length;
  beforeEach(() => {
    steps = [];
  });

  test("wait until the controller is online", async () => {
    const member = await connected();
    outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
    await member.drainOutbox();
    expect(sent()).toBe(0);
    await send("state", controllerIs("online"));
    expect(sent()).toBe(1);
    expect(outbox.size().entries).toBe(0);
  });

  test("that were not stored are sent again at once when the controller can store again", async () => {
    await connected();
    const acknowledging = { ...controllerIs("online"), acknowledges: true };
    await send("state", acknowledging);
    outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
    await send("state", acknowledging);
    expect(sent()).toBe(1);
    await send("state", acknowledging);
    expect(sent()).toBe(1);
    await send("state", { ...acknowledging, storesSinceMs: 5 });
    expect(sent()).toBe(2);
    await send("state", { ...acknowledging, storesSinceMs: 5 });
    expect(sent()).toBe(2);
    expect(outbox.size().entries).toBe(1);
  });

  test("are sent on a connection where no controller is waited for", async () => {
    const member = join({ waitForController: false });
    outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
    member.start();
    broker.setConnected(true);
    await settle();
    expect(sent()).toBe(1);
  });

  test("are sent as the minute ends", async () => {
    const member = await connected({ waitForController: false });
    outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
    await member.endMinute();
    await settle();
    expect(sent()).toBe(1);
  });
});

test("the minute is sent at the agent's own time, or before when there is another reason", async () => {
  const member = await connected({ waitForController: false, sendDelayMs: 3_600_000 });
  const sent = () => broker.published.filter(({ topic }) => topic.endsWith("/data")).length;
  outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
  await member.endMinute();
  await settle();
  expect(sent()).toBe(0);
  await member.drainOutbox();
  expect(sent()).toBe(1);
  await member.announceStop();
  const soon = await connected({ waitForController: false, sendDelayMs: 1 });
  outbox.append(aMinute({ bootId: "boot-1" }), nowMs);
  await soon.endMinute();
  while (sent() === 0) await Bun.sleep(1);
});

describe("the end of a minute", () => {
  test("closes it, then chooses the power mode", async () => {
    const member = await connected();
    steps = [];
    await member.endMinute();
    expect(steps).toEqual(["cycle", "power"]);
  });

  test("publishes models and board when they have changed, and only then", async () => {
    const member = await connected();
    await member.endMinute();
    published();
    await member.endMinute();
    expect(published()).toEqual([]);
    models = ["mini", "large"];
    await member.endMinute();
    expect(lastOf("birth").models).toHaveLength(2);
    expect(lastOf("birth").board).toMatchObject({ kind: "none", figures, faults: [] });
    expect(lastOf("birth").board.figures).not.toHaveProperty("corrections");
    expect(published()).toEqual(["birth", "presence"]);
  });
});

test("a training that begins, rests or ends is reported, not each minute's reason", async () => {
  let status: ReturnType<NonNullable<typeof training>> = { state: "waiting", reason: "5 of 10 minutes", last: null };
  training = () => status;
  const member = await connected();
  await member.endMinute();
  published();
  const minute = async (next: typeof status) => {
    status = next;
    await member.endMinute();
    return published();
  };
  expect(await minute({ ...status, reason: "6 of 10 minutes" })).toEqual([]);
  expect(await minute({ ...status, state: "training", reason: "within the window" })).toEqual(["reported"]);
  const last = { kind: "promoted", reason: "w".repeat(4096), endedAtMs: 7_000.5 } as const;
  status = { state: "waiting", reason: "this night's training is done", last };
  await member.endMinute();
  expect(lastOf("reported").training).toEqual({
    ...{ state: "waiting", reason: "this night's training is done" },
    last: { kind: "promoted", reason: "w".repeat(512), endedAtMs: 7_001 },
  });
  published();
  await member.endMinute();
  expect(published()).toEqual([]);
});

test("a power mode that changed is reported, one that did not is not", async () => {
  const member = await connected();
  published();
  await member.evaluatePower();
  expect(published()).toEqual([]);
  nextMode = "B";
  await member.evaluatePower();
  expect(lastOf("reported")).toMatchObject({ powerMode: "B" });
  expect(published()).toEqual(["reported"]);
});

describe("a drain by command", () => {
  const command = (id: string) => ({
    v: 1,
    id,
    agentId: "thor-1",
    kind: "drain",
    issuedAtMs: 5_000,
    expiresAtMs: 9_000,
  });
  const states = () =>
    broker.published
      .filter((message) => message.topic === topic("cmd-result"))
      .map(({ payload }) => JSON.parse(payload))
      .map(({ id, state }: { id: string; state: string }) => `${id} ${state}`);

  test("drains, finishes what is in flight, and says so; two commands at once are one drain", async () => {
    await connected();
    inFlight = 1;
    await send("cmd", command("c1"));
    await send("cmd", command("c2"));
    expect(membership.role).toBe("draining");
    expect(lastOf("reported")).toMatchObject({ role: "draining" });
    expect(states()).toEqual(["c1 received", "c1 running", "c2 received", "c2 running"]);
    expect(evaluated.map(({ role }) => role)).toEqual(["draining"]);
    inFlight = 0;
    while (states().length < 6) await Bun.sleep(5);
    expect(states().slice(4)).toEqual(["c1 succeeded", "c2 succeeded"]);
    expect(lastOf("cmd-result").reason).toContain("drained for 10 minutes");
    expect(membership.role).toBe("draining");
    // A later command drains anew.
    await send("cmd", command("c3"));
    expect(states().at(-1)).toBe("c3 succeeded");
    expect(evaluated).toHaveLength(2);
  });

  test("ends after ten minutes", async () => {
    const member = await connected();
    await send("cmd", command("c1"));
    nowMs += 599_999;
    await member.evaluateSleep();
    expect(membership.role).toBe("draining");
    nowMs += 1;
    await member.evaluateSleep();
    expect(membership.role).toBe("active");
    expect(lastOf("presence")).toMatchObject({ role: "active" });
  });

  test("fails when newer instructions come first", async () => {
    await connected();
    inFlight = 1;
    await send("cmd", command("c1"));
    await desires({ role: "active" });
    while (states().length < 3) await Bun.sleep(5);
    expect(states().at(-1)).toBe("c1 failed");
    expect(membership.role).toBe("active");
  });
});

describe("sleep", () => {
  const suspended = { suspendCommand: ["false"], afterS: 1, mac: "02:00:00:00:00:01" };
  const standby = async () => {
    const member = await connected({ sleep: suspended });
    await send("state", controllerIs("online"));
    await send("presence", aPresence({ agentId: "b" }), "b");
    await desires({ role: "standby" });
    await member.evaluateSleep();
    nowMs += 1_000;
    steps = [];
    return member;
  };

  test("announces it, disconnects, and connects again when awake", async () => {
    const member = await standby();
    await member.evaluateSleep();
    expect(steps).toEqual(["broker stops", "broker starts"]);
    expect(lastOf("presence")).toMatchObject({ status: "online", asleep: { mac: "02:00:00:00:00:01" } });
  });

  test.each([
    [
      "a request in flight",
      () => {
        inFlight = 1;
      },
    ],
    ["a record to send", () => void outbox.append(aMinute(), nowMs)],
    [
      "a calibration",
      () => {
        leftAlone = "calibrating";
      },
    ],
    ["no controller", () => send("state", controllerIs("offline"))],
    ["no peer", () => send("presence", "", "b")],
    ["another role", () => desires({ version: 2, role: "active" })],
    [
      "too little time",
      () => {
        nowMs -= 1;
      },
    ],
  ])("%s keeps it awake", async (_, change) => {
    const member = await standby();
    await change();
    await member.evaluateSleep();
    expect(steps).not.toContain("broker stops");
  });

  test("ends with the agent", async () => {
    const member = await standby();
    await member.announceStop();
    await member.evaluateSleep();
    expect(steps).not.toContain("broker stops");
  });

  test("a sleeping peer that is desired active is woken, until it is forgotten", async () => {
    const woken: string[] = [];
    const marks = `${process.env["TMPDIR"] ?? "/tmp"}/thormesh-wake-${crypto.randomUUID()}`;
    const member = await connected({ sleep: { wakeCommand: ["sh", "-c", `echo {agent} >> ${marks}`], wakeRetryS: 1 } });
    await send("presence", { ...aPresence({ agentId: "b", role: "standby" }), asleep: { mac: null } }, "b");
    await send("desired", aDesired({ agentId: "b" }), "b");
    await member.evaluateSleep();
    woken.push(await Bun.file(marks).text());
    await send("presence", "", "b");
    nowMs += 60_000;
    await member.evaluateSleep();
    woken.push(await Bun.file(marks).text());
    await Bun.file(marks).delete();
    expect(woken).toEqual(["b\n", "b\n"]);
  });

  test("documents of others are not subscribed to where no peer is woken", async () => {
    const filters: string[] = [];
    const member = join();
    const { subscribe } = broker;
    broker.subscribe = (filter, handler) => {
      filters.push(filter);
      subscribe(filter, handler);
    };
    member.start();
    expect(filters).not.toContain(topic("desired", "+"));
  });
});

describe("the end of the agent", () => {
  test("begins with the role draining, whatever the documents say", async () => {
    const member = await connected();
    published();
    await member.announceStop();
    expect(lastOf("presence")).toMatchObject({ status: "online", role: "draining" });
    await desires({ role: "active" });
    expect(membership.role).toBe("draining");
  });

  test("is an offline presence before the connection ends", async () => {
    const member = await connected();
    await member.leave();
    expect(lastOf("presence")).toMatchObject({ status: "offline" });
    expect(steps.at(-1)).toBe("broker stops");
  });
});

test("messages that can't be read are counted", async () => {
  const member = await connected();
  expect(member.refusedMessages).toBe(0);
  await send("desired", "{}");
  expect(member.refusedMessages).toBe(1);
});
