import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerState, MinuteData } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

// A minute of the agent's clock passes in 250 ms.
const clock = { speed: 240, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5) };
const silent = pino({ level: "silent" });
const running: Program[] = [];
let mosquitto: Mosquitto;
let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  mosquitto = await createMosquitto();
});
afterAll(() => mosquitto.dispose());
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  directory.remove();
});

async function startAgent(): Promise<{ program: Program; url: string; bootId: string }> {
  const config = {
    fleet: "records",
    id: "thor-1",
    stateDir: join(directory.path, "state"),
    broker: { url: mosquitto.url, keepAliveS: 2 },
    serving: { host: "127.0.0.1", port: 0 },
    power: { board: "none" },
    clock,
  };
  const path = join(directory.path, "agent.json");
  await Bun.write(path, JSON.stringify(config));
  const program = startProgram(["agent", "--config", path], directory.path);
  running.push(program);
  const { url, bootId } = JSON.parse(await program.untilLogged("agent started"));
  await eventually(
    async () => (await fetch(`${url}/readyz`)).status,
    (status) => status === 200,
  );
  return { program, url, bootId };
}

/** Everything a subscriber of the agent's records gets, as it comes. */
async function collectRecords() {
  const records: MinuteData[] = [];
  const broker = new MqttBroker(
    { url: mosquitto.url, clientId: `collector-${crypto.randomUUID()}`, cleanSession: false },
    silent,
  );
  broker.subscribe(agentTopic("records", "thor-1", "data"), ({ payload }) => {
    const decoded = decodeMessage(MinuteData, payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    records.push(decoded.message);
  });
  // Like the controller it says that it listens, each time it does.
  broker.onConnection((connected) => {
    const state: ControllerState = { v: 1, status: "online", instanceId: "collector", version: "test", sentAtMs: 1 };
    if (connected)
      void broker.publish(controllerStateTopic("records"), encodeMessage(ControllerState, state), { retain: true });
  });
  await broker.start();
  await untilConnected(broker);
  return { records, broker, stop: () => broker.stop() };
}

async function embed(url: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const response = await fetch(`${url}/api/v1/embed`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: [`gripper ${index} reports torque ${Math.random()}`] }),
    });
    expect(response.status).toBe(200);
    await response.json();
  }
}

const requestsIn = (records: readonly MinuteData[]) =>
  records.reduce((sum, record) => sum + record.traffic.models.reduce((models, model) => models + model.requests, 0), 0);

/** Every minute from the first to the last once, in order, without a hole. */
function expectUnbroken(records: readonly MinuteData[]) {
  const starts = records.map((record) => record.traffic.minuteStartMs);
  expect(starts).toEqual(starts.map((_, index) => (starts[0] as number) + index * 60_000));
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => (records[0]?.seq as number) + index));
}

test("a broker that is away for a while costs no minute: what waited comes in order, as history", async () => {
  const { url, bootId } = await startAgent();
  const collector = await collectRecords();
  await embed(url, 5);
  await eventually(
    async () => collector.records.length,
    (count) => count >= 2,
  );
  await mosquitto.stop("SIGKILL");
  await embed(url, 20);
  const waiting = await eventually(
    async () => (await (await fetch(`${url}/api/v1/status`)).json()) as { outbox: { entries: number } },
    (status) => status.outbox.entries >= 6,
  );
  const before = collector.records.length;
  await mosquitto.start();
  await eventually(
    async () => collector.records.length,
    (count) => count >= before + waiting.outbox.entries + 2,
  );
  await embed(url, 5);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests >= 30,
  );
  await collector.stop();
  // The broker may have taken a record whose acknowledgement was lost with it: a repeat has the same name.
  const unique = [...new Map(collector.records.map((record) => [`${record.bootId}/${record.seq}`, record])).values()];
  expectUnbroken(unique);
  expect(requestsIn(unique)).toBe(30);
  expect(new Set(unique.map((record) => record.bootId))).toEqual(new Set([bootId]));
  expect(unique.some(({ historical }) => historical)).toBe(true);
}, 60_000);

test("kill -9 costs the minute under way and nothing else, and nothing comes twice", async () => {
  const collector = await collectRecords();
  const first = await startAgent();
  await embed(first.url, 10);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests === 10,
  );
  await mosquitto.stop("SIGKILL");
  await embed(first.url, 10);
  await eventually(
    async () =>
      (await (await fetch(`${first.url}/api/v1/status`)).json()) as { outbox: { entries: number }; liveQps: number },
    (status) => status.outbox.entries >= 3 && status.liveQps === 0,
  );
  await first.program.stop("SIGKILL");
  await mosquitto.start();
  const second = await startAgent();
  await embed(second.url, 3);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests >= 23,
  );
  await collector.stop();
  expect(second.bootId).not.toBe(first.bootId);
  const unique = [...new Map(collector.records.map((record) => [`${record.bootId}/${record.seq}`, record])).values()];
  const ofFirst = unique.filter(({ bootId }) => bootId === first.bootId);
  const ofSecond = unique.filter(({ bootId }) => bootId === second.bootId);
  expectUnbroken(ofFirst.filter((record) => record.seq > 1));
  expect(requestsIn(ofFirst)).toBe(20);
  expect(requestsIn(ofSecond)).toBe(3);
  expect(ofSecond[0]?.seq).toBe(1);
}, 60_000);

test("SIGTERM sends the minute under way too, takes leave of the fleet and exits with 0", async () => {
  const collector = await collectRecords();
  const presences: string[] = [];
  collector.broker.subscribe(agentTopic("records", "+", "presence"), ({ payload }) => {
    presences.push(JSON.parse(new TextDecoder().decode(payload)).status);
  });
  const { program, url } = await startAgent();
  await embed(url, 4);
  expect(await program.stop("SIGTERM")).toBe(0);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests === 4,
  );
  await eventually(
    async () => presences.at(-1),
    (status) => status === "offline",
  );
  await collector.stop();
}, 60_000);

test("without a broker the agent starts, serves and says so", async () => {
  await mosquitto.stop();
  const { program, url } = await startAgent();
  await embed(url, 2);
  await program.untilLogged("not connected to the broker; serving goes on without it");
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await program.stop("SIGTERM")).toBe(0);
  await mosquitto.start();
}, 60_000);

test("two agents do not share one state directory", async () => {
  await startAgent();
  const second = startProgram(["agent", "--config", join(directory.path, "agent.json")], directory.path);
  expect(await second.child.exited).toBe(2);
  expect(second.log()).toContain("in use by another agent");
}, 60_000);

test("a damaged state file is moved aside, said loudly, and the agent serves", async () => {
  const state = join(directory.path, "state");
  await Bun.write(join(state, "agent.db"), "no database, but long enough to look like the header of one ".repeat(40));
  const { program, url } = await startAgent();
  await embed(url, 1);
  expect(program.log()).toContain("STATE FILE DAMAGED");
  expect(readdirSync(state).some((name) => name.startsWith("agent.db.corrupt-"))).toBe(true);
}, 60_000);

test("malformed and oversized messages are counted and change nothing", async () => {
  const { url } = await startAgent();
  const sender = new MqttBroker({ url: mosquitto.url, clientId: "mischief" }, silent);
  await sender.start();
  await untilConnected(sender);
  await eventually(
    async () => (await (await fetch(`${url}/api/v1/status`)).json()) as { broker: { connected: boolean } },
    (status) => status.broker.connected,
  );
  const desiredTopic = agentTopic("records", "thor-1", "desired");
  const presenceTopic = agentTopic("records", "thor-2", "presence");
  // An empty one is no message: what was retained is taken away.
  for (const payload of ["", "{", "null", '{"v":1}', "x".repeat(300_000)]) {
    await sender.publish(desiredTopic, payload, { retain: false });
    await sender.publish(presenceTopic, payload, { retain: false });
  }
  await eventually(
    async () => await (await fetch(`${url}/metrics`)).text(),
    (metrics) => Number(/^thormesh_refused_messages_total (\d+)/m.exec(metrics)?.[1]) >= 8,
  );
  await embed(url, 1);
  await sender.stop();
}, 60_000);
