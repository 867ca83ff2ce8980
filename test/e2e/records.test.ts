import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { MinuteData } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import { aPresence } from "../fakes/builders.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import {
  embedTexts,
  eventually,
  type Program,
  startConfigured,
  startProgram,
  temporaryDirectory,
  untilReady,
} from "./program.ts";
import { collectRecords, requestsIn } from "./record-collector.ts";

// A minute of the agent's clock passes in 250 ms.
const clock = fastClock(240);
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
    broker: { url: mosquitto.url },
    serving: { host: "127.0.0.1", port: 0 },
    power: { board: "none" },
    clock,
  };
  const program = await startConfigured("agent", config, directory.path);
  running.push(program);
  return { program, ...(await untilReady(program)) };
}

const collect = () => collectRecords(mosquitto.url, "records", "thor-1", { announces: true });

/** Expects each minute from the first to the last once, in order and without a gap. */
function expectUnbroken(records: readonly MinuteData[]) {
  const starts = records.map((record) => record.traffic.minuteStartMs);
  expect(starts).toEqual(starts.map((_, index) => (starts[0] as number) + index * 60_000));
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => (records[0]?.seq as number) + index));
}

test("a broker that is away for a while costs no minute: what waited comes in order, as history", async () => {
  const { url, bootId } = await startAgent();
  const collector = await collect();
  await embedTexts(url, 5);
  await eventually(
    async () => collector.records.length,
    (count) => count >= 2,
  );
  await mosquitto.stop("SIGKILL");
  await embedTexts(url, 20);
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
  await embedTexts(url, 5);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests >= 30,
  );
  await collector.stop();
  // The broker may have accepted a record whose acknowledgement was lost: its repeat has the same sequence number.
  const unique = [...new Map(collector.records.map((record) => [`${record.bootId}/${record.seq}`, record])).values()];
  expectUnbroken(unique);
  expect(requestsIn(unique)).toBe(30);
  expect(new Set(unique.map((record) => record.bootId))).toEqual(new Set([bootId]));
  expect(unique.some(({ historical }) => historical)).toBe(true);
});

test("kill -9 costs the minute under way and nothing else, and nothing comes twice", async () => {
  const collector = await collect();
  const first = await startAgent();
  await embedTexts(first.url, 10);
  await eventually(
    async () => requestsIn(collector.records),
    (requests) => requests === 10,
  );
  await mosquitto.stop("SIGKILL");
  await embedTexts(first.url, 10);
  await eventually(
    async () =>
      (await (await fetch(`${first.url}/api/v1/status`)).json()) as { outbox: { entries: number }; liveQps: number },
    (status) => status.outbox.entries >= 3 && status.liveQps === 0,
  );
  await first.program.stop("SIGKILL");
  await mosquitto.start();
  const second = await startAgent();
  await embedTexts(second.url, 3);
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
});

test("SIGTERM sends the minute under way too, disconnects from the fleet and exits with 0", async () => {
  const collector = await collect();
  const presences: string[] = [];
  collector.broker.subscribe(agentTopic("records", "+", "presence"), ({ payload }) => {
    presences.push(JSON.parse(new TextDecoder().decode(payload)).status);
  });
  const { program, url } = await startAgent();
  await embedTexts(url, 4);
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
});

test("without a broker the agent starts, serves and says so", async () => {
  await mosquitto.stop();
  const { program, url } = await startAgent();
  await embedTexts(url, 2);
  await program.untilLogged("not connected to the broker; serving goes on without it");
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await program.stop("SIGTERM")).toBe(0);
  await mosquitto.start();
});

test("two agents do not share one state directory", async () => {
  await startAgent();
  const second = startProgram(["agent", "--config", join(directory.path, "agent.json")], directory.path);
  expect(await second.child.exited).toBe(2);
  expect(second.log()).toContain("in use by another agent");
});

test("a damaged state file is moved aside, said loudly, and the agent serves", async () => {
  const state = join(directory.path, "state");
  await Bun.write(join(state, "agent.db"), "no database, but long enough to look like the header of one ".repeat(40));
  const { program, url } = await startAgent();
  await embedTexts(url, 1);
  expect(program.log()).toContain("STATE FILE DAMAGED");
  expect(readdirSync(state).some((name) => name.startsWith("agent.db.corrupt-"))).toBe(true);
});

test("malformed and oversized messages are counted and change nothing", async () => {
  const { url } = await startAgent();
  const { broker: sender } = await collectRecords(mosquitto.url, "records", "thor-1", { announces: false });
  const desiredTopic = agentTopic("records", "thor-1", "desired");
  const presenceTopic = agentTopic("records", "thor-2", "presence");
  // It follows others once it has waited for a controller's list of them.
  const peer = aPresence({ agentId: "thor-2", url: "http://127.0.0.1:9" });
  await sender.publish(presenceTopic, JSON.stringify(peer), { retain: true });
  await eventually(
    async () => (await (await fetch(`${url}/api/v1/status`)).json()) as { peers: { agentId: string }[] },
    (status) => status.peers.some(({ agentId }) => agentId === "thor-2"),
  );
  // An empty message clears the retained one.
  for (const payload of ["", "{", "null", '{"v":1}', "x".repeat(300_000)]) {
    await sender.publish(desiredTopic, payload, { retain: false });
    await sender.publish(presenceTopic, payload, { retain: false });
  }
  await eventually(
    async () => await (await fetch(`${url}/metrics`)).text(),
    (metrics) => Number(/^thormesh_refused_messages_total (\d+)/m.exec(metrics)?.[1]) >= 8,
  );
  await embedTexts(url, 1);
  await sender.stop();
});
