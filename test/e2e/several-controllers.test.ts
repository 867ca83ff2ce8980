import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresDatabase } from "#controller/store/postgres/postgres-database.ts";
import { createPostgresStore } from "#controller/store/postgres/postgres-store.ts";
import { createRowQuarantine } from "#controller/store/row-quarantine.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { Ack, Birth, ControllerState, Desired, MinuteData, Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { copyRecords } from "../../scripts/faults/copy-records.ts";
import { aBirth, aMinute, aPresence } from "../fakes/builders.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { createPostgres, type Postgres } from "../fakes/postgres.ts";
import { type Program, startConfigured } from "./program.ts";

const fleet = "shared";
const agentId = "thor-1";
const directory = mkdtempSync(join(tmpdir(), "thormesh-several-"));
const log = createLogger("test", "silent");
let postgres: Postgres;
let mosquitto: Mosquitto;
let device: Device;

beforeAll(async () => {
  [postgres, mosquitto] = await Promise.all([createPostgres([]), createMosquitto()]);
  device = await startDevice();
});
afterAll(async () => {
  await device.stop();
  await mosquitto.dispose();
  await postgres.dispose();
  rmSync(directory, { recursive: true, force: true });
});

interface Device {
  readonly sent: () => number;
  readonly confirmed: ReadonlySet<number>;
  /** Terms of the documents that it was sent, in their order. */
  readonly terms: readonly number[];
  readonly states: readonly string[];
  /** Sends no new minute, and resolves when all are confirmed. */
  finish(): Promise<void>;
  stop(): Promise<void>;
}

/** A device that sends a minute many times a second, each until it is confirmed. */
async function startDevice(): Promise<Device> {
  const broker = new MqttBroker({ url: mosquitto.url, clientId: "device" }, log);
  const [confirmed, terms, states] = [new Set<number>(), [] as number[], [] as string[]];
  const nowMs = Date.now();
  const firstMs = Math.floor(nowMs / minuteMs) * minuteMs - 3000 * minuteMs;
  let seq = 0;
  let isFinishing = false;
  broker.subscribe(agentTopic(fleet, agentId, "ack"), ({ payload }) => {
    const ack = decodeMessage(Ack, payload);
    if (!ack.ok) return;
    for (const { fromSeq, toSeq } of ack.message.stored)
      for (let each = fromSeq; each <= toSeq; each += 1) confirmed.add(each);
  });
  broker.subscribe(agentTopic(fleet, agentId, "desired"), ({ payload }) => {
    const document = decodeMessage(Desired, payload);
    if (document.ok) terms.push(document.message.term ?? 0);
  });
  broker.subscribe(controllerStateTopic(fleet), ({ payload }) => {
    const state = decodeMessage(ControllerState, payload);
    if (state.ok) states.push(state.message.status);
  });
  const bootId = "boot-1";
  const common = { agentId, bootId, sentAtMs: nowMs };
  const publish = (channel: "presence" | "birth" | "data", text: string) =>
    broker
      .publish(agentTopic(fleet, agentId, channel), text, { retain: channel === "presence" })
      .catch(() => undefined);
  broker.onConnection((is) => {
    if (!is) return;
    void publish("presence", encodeMessage(Presence, aPresence(common)));
    void publish("birth", encodeMessage(Birth, aBirth(common)));
  });
  await broker.start();
  const send = (each: number) =>
    publish(
      "data",
      encodeMessage(
        MinuteData,
        aMinute({ ...common, seq: each, historical: true, minuteStartMs: firstMs + each * minuteMs, requests: 1 }),
      ),
    );
  const unconfirmed = () => Array.from({ length: seq }, (_, index) => index + 1).filter((each) => !confirmed.has(each));
  let turn = 0;
  const timer = setInterval(() => {
    turn += 1;
    const waiting = unconfirmed();
    if (!isFinishing && waiting.length < 16) {
      seq += 1;
      void send(seq);
    }
    if (turn % 40 === 0) for (const each of waiting) void send(each);
  }, 50);
  return {
    ...{ confirmed, terms, states },
    sent: () => seq,
    async finish() {
      isFinishing = true;
      while (unconfirmed().length > 0) await Bun.sleep(20);
    },
    async stop() {
      clearInterval(timer);
      await broker.stop();
    },
  };
}

async function startController(name: string): Promise<{ program: Program; name: string }> {
  const stateDir = join(directory, name);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const config = {
    ...{ fleet, stateDir, api: { port: 0 }, broker: { url: mosquitto.url } },
    store: { url: postgres.url, leaseMs: 4_000 },
  };
  return { program: await startConfigured("controller", config, directory, { name }), name };
}

const urlIn = (line: string): string => (JSON.parse(line) as { url: string }).url;
const leading = async ({ program }: { program: Program }) => urlIn(await program.untilLogged("controller started"));
const standing = async ({ program }: { program: Program }) => urlIn(await program.untilLogged("standing by: the API"));
const moreConfirmed = async () => {
  const before = device.confirmed.size;
  while (device.confirmed.size < before + 10) await Bun.sleep(10);
};
const health = async (url: string) => (await fetch(`${url}/healthz`)).json() as Promise<Record<string, unknown>>;
const freeze = (url: string) =>
  fetch(`${url}/api/v1/freeze`, {
    ...{ method: "POST", headers: { "content-type": "application/json" } },
    body: JSON.stringify({ reason: "stocktaking" }),
  });
const override = (url: string, role: string) =>
  fetch(`${url}/api/v1/agents/${agentId}/override`, {
    ...{ method: "POST", headers: { "content-type": "application/json" } },
    body: JSON.stringify({ role, expiresInS: 600 }),
  });

test("controllers take over from each other, and nothing is lost, doubled or overruled", async () => {
  const first = await startController("a");
  const firstUrl = await leading(first);
  await moreConfirmed();
  mkdirSync(join(directory, "b"), { recursive: true, mode: 0o700 });
  for (const file of ["ca.key", "ca.pem"]) copyFileSync(join(directory, "a", file), join(directory, "b", file));
  const second = await startController("b");
  const secondUrl = await standing(second);

  // The one that is on standby answers what only reads.
  const agents = (await (await fetch(`${secondUrl}/api/v1/agents`)).json()) as { agents: { agentId: string }[] };
  expect(agents.agents.map((agent) => agent.agentId)).toEqual([agentId]);
  expect(await health(secondUrl)).toMatchObject({ role: "standing by", leader: firstUrl, problems: [] });
  expect(await health(firstUrl)).toMatchObject({ role: "leading", leader: null });
  const refused = await freeze(secondUrl);
  expect(refused.status).toBe(503);
  expect(await refused.text()).toContain(firstUrl);
  expect((await override(firstUrl, "standby")).status).toBe(200);
  while (device.terms.length === 0) await Bun.sleep(10);

  // Killed without a word.
  await first.program.stop("SIGKILL");
  const newUrl = await leading(second);
  await moreConfirmed();
  expect((await override(newUrl, "active")).status).toBe(200);
  const again = await startController("a");
  await standing(again);

  // The leading one hangs, and wakes after another has taken over.
  process.kill(second.program.child.pid, "SIGSTOP");
  const thirdUrl = await leading(again);
  await moreConfirmed();
  expect((await override(thirdUrl, "standby")).status).toBe(200);
  const termOfThird = device.terms.at(-1) as number;
  process.kill(second.program.child.pid, "SIGCONT");
  await second.program.untilLogged("another controller has taken over");
  await moreConfirmed();
  expect((await freeze(thirdUrl)).status).toBe(200);

  // The store's server is killed and comes back.
  await postgres.stop("SIGKILL");
  while ((await health(thirdUrl))["status"] !== "degraded") await Bun.sleep(20);
  await postgres.start();
  await moreConfirmed();
  await device.finish();

  expect(device.terms.filter((term, index) => term < Math.max(...device.terms.slice(0, index)))).toEqual([]);
  expect(device.terms.at(-1)).toBeGreaterThanOrEqual(termOfThird);
  while (device.states.at(-1) !== "online") await Bun.sleep(20);
  const access = { username: "thormesh", password: () => "", tls: null, maxConnections: 2, isFenced: false } as const;
  const database = new PostgresDatabase({ url: postgres.url, schema: "thormesh", ...access });
  const store = await createPostgresStore(
    database,
    createRowQuarantine(() => undefined),
  );
  const seqs: number[] = [];
  for await (const minute of store.minutes(0, 4e12, agentId)) seqs.push(minute.seq);
  expect(seqs).toEqual(Array.from({ length: device.sent() }, (_, index) => index + 1));
  // By such a copy scripts/chaos checks records at a server.
  const copy = join(directory, "records.db");
  await copyRecords(postgres.url, "thormesh", copy);
  expect(new Database(copy).query("SELECT seq FROM minute ORDER BY seq").values().flat()).toEqual(seqs);
  const requests = (await store.service("hour", 0)).reduce((sum, each) => sum + each.requests, 0);
  expect(requests).toBe(device.sent());
  await store.close();
  await Promise.all([second.program.stop(), again.program.stop()]);
});
