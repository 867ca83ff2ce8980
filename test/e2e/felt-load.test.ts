import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import pino from "pino";
import type { AgentStatus } from "#agent/agent-status.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { Beat, ControllerState } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";
import { eventually, type Program, startConfigured, temporaryDirectory, untilReady } from "./program.ts";

const fleet = "felt";
let directory: ReturnType<typeof temporaryDirectory>;
let mosquitto: Mosquitto;
let program: Program | undefined;
let observer: MqttBroker;
const beats: Beat[] = [];

beforeEach(async () => {
  directory = temporaryDirectory();
  mosquitto = await createMosquitto();
  beats.length = 0;
  observer = new MqttBroker({ url: mosquitto.url, clientId: "controller" }, pino({ level: "silent" }));
  observer.subscribe(agentTopic(fleet, "slow", "beat"), ({ payload }) => {
    const decoded = decodeMessage(Beat, payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    beats.push(decoded.message);
  });
  await observer.start();
  await untilConnected(observer);
  const state: ControllerState = { v: 1, status: "online", instanceId: "c", version: "test", sentAtMs: 1 };
  await observer.publish(controllerStateTopic(fleet), encodeMessage(ControllerState, state), { retain: true });
});
afterEach(async () => {
  await program?.stop("SIGKILL");
  program = undefined;
  await observer.stop();
  await mosquitto.dispose();
  directory.remove();
});

/** Sends twenty requests per second without waiting for answers, until it is stopped. */
function putUnderLoad(url: string): { stop(): void } {
  let number = 0;
  const timer = setInterval(() => {
    number += 1;
    const body = JSON.stringify({ inputs: [`gripper ${number} of the second line reports torque`] });
    fetch(`${url}/api/v1/embed`, { method: "POST", body }).then(
      (response) => response.arrayBuffer(),
      () => {},
    );
  }, 50);
  return { stop: () => clearInterval(timer) };
}

test("a board that carries a twentieth of what it states says so, and is never put into a lower mode under load", async () => {
  // By its profile the board carries 70 texts per second at 120W; it carries 3.5.
  program = await startConfigured(
    "agent",
    {
      fleet,
      id: "slow",
      stateDir: join(directory.path, "state"),
      broker: { url: mosquitto.url, beatS: 2 },
      serving: { port: 0, threads: 1, queueMs: 1_000, grpc: { enabled: false } },
      power: {
        board: "simulated",
        simulated: { preset: "thor-t5000", capacityScale: 0.2, actualShare: 0.05 },
        policy: { minDwellS: 0 },
      },
    },
    directory.path,
  );
  const { url } = await untilReady(program);
  const load = putUnderLoad(url);
  try {
    const told = await eventually(
      async () => beats.at(-1),
      (beat) => {
        const [asked] = beat?.models ?? [];
        return asked?.capacity?.source === "saturated" && asked.requests > 0 && asked.refused.length > 0;
      },
    );
    const [asked] = told?.models ?? [];
    expect(asked?.refused[0]).toMatchObject({ cause: "queue" });
    // Most of what is offered is refused.
    expect(asked?.refused[0]?.requests).toBeGreaterThan(asked?.requests ?? 0);
    expect(told?.utilization.cpu).not.toBeNull();
    expect(told?.utilization.processMemory).toBeGreaterThan(0);
    // The policy has chosen several times.
    const count = beats.length;
    const { power, capacity } = await eventually(
      async () => (await (await fetch(`${url}/api/v1/status`)).json()) as AgentStatus,
      (status) => beats.length >= count + 15 && status.power.lastDecision?.rule === "slo-missed",
    );
    expect(capacity[0]).toMatchObject({ model: "all-MiniLM-L6-v2", source: "saturated", modeName: "MAXN" });
    // By its profile it would carry 84.
    expect(capacity[0]?.qps).toBeWithin(1, 8.4);
    expect(power.modes[0]?.capacityQps).toBeWithin(1, 8.4);
    expect(power.modes[3]?.capacityQps).toBeWithin(0.5, 4.4);
  } finally {
    load.stop();
  }
  const modesUnderLoad = new Set(beats.filter(({ models }) => models.length > 0).map(({ modeName }) => modeName));
  expect([...modesUnderLoad].filter((name) => name !== "120W" && name !== "MAXN")).toEqual([]);
  expect(beats.at(-1)?.modeName).toBe("MAXN");
});
