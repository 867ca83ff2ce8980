import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { awaitSoleController } from "#controller/broker/await-sole-controller.ts";
import { createFleetBroker, type FleetBroker } from "#controller/broker/fleet-broker.ts";
import { keptControllerId } from "#controller/broker/kept-controller-id.ts";
import { ControllerConfig } from "#controller/config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import type { ControllerState } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import { createMosquitto, type Mosquitto } from "../../fakes/mosquitto.ts";

const log = createLogger("test", "silent");
const notes: string[] = [];
const listeningLog = pino({ level: "warn" }, { write: (line: string) => void notes.push(line) });
let mosquitto: Mosquitto;
const opened: FleetBroker[] = [];

beforeEach(async () => {
  mosquitto = await createMosquitto();
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.stop();
  await mosquitto.dispose();
});

/** A controller's presence at the broker, announced once connected. */
async function controllerAt(controllerId: string, itsLog = log) {
  const replaced = Promise.withResolvers<string>();
  const config = parseConfig(ControllerConfig, { fleet: "f", broker: { url: mosquitto.url } }, "test");
  const parts = {
    config,
    controllerId,
    stateDir: "/nowhere",
    environment: {},
    nowMs: () => Date.now(),
    log: itsLog,
    onReplaced: () => replaced.resolve(controllerId),
  };
  const own = createFleetBroker(parts);
  const announced = new Promise<void>((resolve) => {
    own.broker.onConnection((connected) => {
      if (connected) void own.announce().then(resolve);
    });
  });
  const begin = async () => {
    opened.push(own);
    await own.start();
    await announced;
  };
  return { own, begin, replaced: replaced.promise };
}

/** Another client of the broker, connected. */
async function stranger(): Promise<Broker> {
  const client = new MqttBroker({ url: mosquitto.url, clientId: `stranger-${crypto.randomUUID()}` }, log);
  const connected = new Promise<void>((resolve) => client.onConnection((is) => is && resolve()));
  await client.start();
  await connected;
  return client;
}

const never = new AbortController().signal;

test("a second controller with a store of its own stands by until the first takes leave", async () => {
  const first = await controllerAt("a");
  expect(await first.own.awaitSole(never)).toBe(true);
  await first.begin();
  const second = await controllerAt("b");
  let isThrough = false;
  const waiting = second.own.awaitSole(never).then((alone) => {
    isThrough = alone;
  });
  const third = new AbortController();
  const given = (await controllerAt("c")).own.awaitSole(third.signal);
  // The first answers within moments; a wait that would end at nobody's word ends after two seconds.
  await Bun.sleep(2500);
  expect(isThrough).toBe(false);
  third.abort();
  expect(await given).toBe(false);
  await opened.pop()?.stop();
  await waiting;
  expect(isThrough).toBe(true);
});

test("of two that began at once the later one ends, and agents go on hearing of the other", async () => {
  const first = await controllerAt("a");
  await Bun.sleep(5);
  const second = await controllerAt("b");
  await Promise.all([first.begin(), second.begin()]);
  expect(await second.replaced).toBe("b");
  await second.own.stop();
  const states: ControllerState[] = [];
  const agent = new MqttBroker({ url: mosquitto.url, clientId: "agent" }, log);
  const heard = new Promise<void>((resolve) => {
    agent.subscribe(controllerStateTopic("f"), ({ payload }) => {
      states.push(JSON.parse(new TextDecoder().decode(payload)));
      resolve();
    });
  });
  await agent.start();
  await heard;
  await agent.stop();
  expect(states[0]?.status).toBe("online");
});

test("what anybody says unasked, once or often, ends nobody; agents hear again that the controller is there", async () => {
  const first = await controllerAt("a", listeningLog);
  await first.begin();
  let isReplaced = false;
  void first.replaced.then(() => {
    isReplaced = true;
  });
  const forger = await stranger();
  const heard: ControllerState[] = [];
  forger.subscribe(controllerStateTopic("f"), ({ payload }) => {
    heard.push(JSON.parse(new TextDecoder().decode(payload)));
  });
  const claims = [
    { sinceMs: 1_700_000_000_000 },
    { sinceMs: 0 },
    {},
    { sinceMs: 1_700_000_000_000, answers: "guess" },
    { sinceMs: 1_700_000_000_000, status: "offline" },
    ...Array.from({ length: 200 }, (_, i) => ({ sinceMs: 1_700_000_000_000, instanceId: `forger-${i}` })),
  ];
  for (const claim of claims) {
    const state = { v: 1, status: "online", instanceId: "forger", version: "1", sentAtMs: 1, ...claim };
    await forger.publish(controllerStateTopic("f"), JSON.stringify(state), { retain: true });
  }
  // Longer than an answer is waited for.
  await Bun.sleep(3000);
  while (heard.at(-1)?.instanceId.startsWith("forger") !== false) await Bun.sleep(10);
  expect(isReplaced).toBe(false);
  expect(heard.at(-1)).toMatchObject({ status: "online" });
  expect(heard.at(-1)?.instanceId).not.toStartWith("forger");
  // It spoke again, but was not made to chatter.
  expect(heard.filter(({ instanceId }) => !instanceId.startsWith("forger")).length).toBeLessThan(60);
  // It is said, once for each kind, whatever names were made up.
  expect(notes.length).toBeGreaterThan(1);
  expect(notes.length).toBeLessThan(10);
  await forger.stop();
});

test("a flood of questions gets some answers", async () => {
  const first = await controllerAt("a");
  await first.begin();
  const asker = await stranger();
  let answers = 0;
  asker.subscribe(controllerStateTopic("f"), () => {
    answers += 1;
  });
  for (let i = 0; i < 300; i += 1)
    await asker.publish(controllerProbeTopic("f"), JSON.stringify({ v: 1, nonce: `n${i}` }), { retain: false });
  while (answers < 2) await Bun.sleep(10);
  await Bun.sleep(500);
  expect(answers).toBeGreaterThan(1);
  expect(answers).toBeLessThan(100);
  await asker.stop();
});

test("what the broker remembers of a controller that is no more is not waited for", async () => {
  const ghost = await stranger();
  const state = { v: 1, status: "online", instanceId: "ghost", version: "1", sentAtMs: 1 };
  await ghost.publish(controllerStateTopic("f"), JSON.stringify(state), { retain: true });
  await ghost.stop();
  const probe = new MqttBroker({ url: mosquitto.url, clientId: "probe" }, log);
  const times = { connectMs: 5000, answerMs: 200, askAgainMs: 10_000 };
  expect(await awaitSoleController("f", probe, log, never, times)).toBe(true);
});

test("a broker that is not there is not waited for long", async () => {
  await mosquitto.stop();
  const probe = new MqttBroker({ url: mosquitto.url, clientId: "probe" }, log);
  const times = { connectMs: 100, answerMs: 100, askAgainMs: 100 };
  expect(await awaitSoleController("f", probe, log, never, times)).toBe(true);
});

test("a controller keeps its name at brokers", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-controller-id-"));
  try {
    const name = await keptControllerId(directory, log);
    expect(name).toMatch(/^[0-9a-f-]{36}$/);
    expect(await keptControllerId(directory, log)).toBe(name);
    await Bun.write(join(directory, "controller-id"), "nonsense");
    expect(await keptControllerId(directory, log)).not.toBe(name);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
