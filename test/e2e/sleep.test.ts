import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { encodeMessage } from "#protocol/codec.ts";
import { ControllerState, Desired, type Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";
import { eventually, type Program, startConfigured, temporaryDirectory } from "./program.ts";

const fleet = "sleepers";
let directory: ReturnType<typeof temporaryDirectory>;
let mosquitto: Mosquitto;
const programs: Program[] = [];
beforeEach(async () => {
  directory = temporaryDirectory();
  mosquitto = await createMosquitto();
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  await mosquitto.dispose();
  directory.remove();
});

async function startAgent(id: string, { role, sleep }: { role: string; sleep: object }): Promise<void> {
  const config = {
    fleet,
    id,
    role,
    stateDir: join(directory.path, id),
    broker: { url: mosquitto.url },
    serving: { port: 0, threads: 1, grpc: { enabled: false } },
    power: { board: "simulated", sleep },
    // A minute in four seconds: the agent looks every second whether it may sleep.
    clock: fastClock(15, Date.now()),
  };
  const program = await startConfigured("agent", config, directory.path, { name: id });
  programs.push(program);
  await program.untilLogged("agent started");
}

test("a device that stands by sleeps; when it is wanted a peer wakes it, and it serves", async () => {
  const woken = join(directory.path, "woken");
  // Stands in for a device that is suspended until it is woken, and for at least six seconds.
  const suspended = join(directory.path, "suspended");
  const suspendCommand = ["sh", "-c", `touch ${suspended}; sleep 6; until [ -e ${woken} ]; do sleep 0.1; done`];
  await startAgent("a", {
    role: "active",
    sleep: { wakeCommand: ["sh", "-c", `echo {agent} {mac} > ${woken}`], wakeRetryS: 15 },
  });
  await startAgent("b", { role: "standby", sleep: { suspendCommand, afterS: 30, mac: "02:00:00:00:00:0b" } });

  const presences = new Map<string, Presence>();
  const client = new MqttBroker({ url: mosquitto.url, clientId: "controller" }, pino({ level: "silent" }));
  client.subscribe(agentTopic(fleet, "+", "presence"), ({ payload }) => {
    const presence = JSON.parse(new TextDecoder().decode(payload)) as Presence;
    presences.set(presence.agentId, presence);
  });
  // Records go out, so that nothing is left to send: to a reader, as the broker says when there is none.
  client.subscribe(agentTopic(fleet, "+", "data"), () => undefined);
  const state: ControllerState = { v: 1, status: "online", instanceId: "c", version: "test", sentAtMs: 1 };
  await client.start();
  await untilConnected(client);
  await client.publish(controllerStateTopic(fleet), encodeMessage(ControllerState, state), { retain: true });

  const sleeping = await eventually(
    async () => presences.get("b"),
    (presence) => presence?.asleep !== undefined,
  );
  expect(sleeping).toMatchObject({ status: "online", role: "standby", asleep: { mac: "02:00:00:00:00:0b" } });
  // Wanted between its announcement and the command, a device stays awake by itself.
  await eventually(async () => existsSync(suspended), Boolean);
  expect(existsSync(woken)).toBe(false);
  const wanted: Desired = {
    v: 1,
    agentId: "b",
    version: 1,
    issuedAtMs: Date.now(),
    role: "active",
    powerMode: null,
    powerModeUntilMs: null,
    reason: "the load grows",
  };
  await client.publish(agentTopic(fleet, "b", "desired"), encodeMessage(Desired, wanted), { retain: true });
  const awake = await eventually(
    async () => presences.get("b"),
    (presence) => presence?.role === "active" && presence.asleep === undefined,
  );
  expect(awake?.status).toBe("online");
  expect((await Bun.file(woken).text()).trim()).toBe("b 02:00:00:00:00:0b");
  expect((await fetch(`${awake?.url}/readyz`)).status).toBe(200);
  await client.stop();
});
