import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "#agent/agent.ts";
import { AgentConfig } from "#agent/config.ts";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { brokerLimits, openAccess } from "../fakes/broker-clients.ts";
import { aDesired, aPresence } from "../fakes/builders.ts";
import { freePort } from "../fakes/free-port.ts";
import { untilConnected } from "../protocol/broker-contract.ts";

const log = createLogger("test", "silent");
const speed = 600;

interface Heard {
  readonly topic: string;
  readonly payload: Record<string, unknown>;
}

let stateDir: string;
let embedded: EmbeddedBroker;
let fleet: MqttBroker;
let agent: Agent;
let port: number;
const heard: Heard[] = [];
let onHeard = () => {};

const topicOf = (channel: string, id = "thor-1") => `thormesh/v1/lab/agents/${id}/${channel}`;
const said = (channel: string) => heard.filter(({ topic }) => topic === topicOf(channel)).map(({ payload }) => payload);

/** Resolves with the first message of a channel, past or coming, that fits. */
async function until(channel: string, fits: (payload: Record<string, unknown>) => boolean) {
  for (;;) {
    const found = said(channel).find(fits);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => {
      onHeard = resolve;
    });
  }
}

function configOf(change: { port: number; brokerPort: number; id?: string | null }): AgentConfig {
  return parseConfig(
    AgentConfig,
    {
      ...{ fleet: "lab", id: change.id === undefined ? "thor-1" : change.id, region: "hall", logLevel: "silent" },
      stateDir,
      broker: { url: `mqtt://127.0.0.1:${change.brokerPort}`, password: "any" },
      serving: { port: change.port, grpc: { port: null } },
      power: { board: "simulated" },
      clock: { speed, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5, 12) },
    },
    "test",
  );
}

const ask = async (path: string) => (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as never;
const embed = () =>
  fetch(`http://127.0.0.1:${port}/api/v1/embed`, {
    method: "POST",
    body: JSON.stringify({ inputs: ["one robot", "two"] }),
    headers: { "content-type": "application/json" },
  });

let brokerPort: number;
beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "thormesh-agent-"));
  embedded = new EmbeddedBroker({ host: "127.0.0.1", port: 0, access: openAccess, limits: brokerLimits() }, log);
  await embedded.broker.start();
  brokerPort = await embedded.listen();
  fleet = new MqttBroker({ url: `mqtt://127.0.0.1:${brokerPort}`, clientId: "fleet" }, log);
  fleet.subscribe("thormesh/v1/lab/#", ({ topic, payload }) => {
    const text = new TextDecoder().decode(payload);
    if (text !== "") heard.push({ topic, payload: JSON.parse(text) });
    onHeard();
  });
  await fleet.start();
  await untilConnected(fleet);
  port = await freePort();
  agent = new Agent(configOf({ port, brokerPort }));
  await agent.start();
});
afterAll(async () => {
  await agent.stop();
  await fleet.stop();
  await embedded.broker.stop();
  await embedded.close();
  rmSync(stateDir, { recursive: true, force: true });
});

describe("an agent in its fleet", () => {
  test("says who it is", async () => {
    expect(await until("presence", ({ status }) => status === "online")).toMatchObject({
      ...{ agentId: "thor-1", role: "active", region: "hall", version, url: `http://127.0.0.1:${port}` },
      models: ["all-MiniLM-L6-v2"],
    });
    expect(await until("birth", () => true)).toMatchObject({
      board: { kind: "simulated" },
      models: [{ id: "all-MiniLM-L6-v2", dimension: 384 }],
    });
  });

  test("serves, and sends what it served once a controller is there", async () => {
    expect((await embed()).status).toBe(200);
    expect(said("data")).toEqual([]);
    const state = { v: 1, status: "online", instanceId: "c", version: "1", sentAtMs: 1 };
    await fleet.publish("thormesh/v1/lab/controller/state", JSON.stringify(state), { retain: true });
    const served = (payload: Record<string, unknown>) =>
      (payload["traffic"] as { models: { texts: number }[] }).models.some(({ texts }) => texts === 2);
    const minute = await until("data", served);
    expect(minute).toMatchObject({
      ...{ agentId: "thor-1", role: "active", queueDepth: 0 },
      traffic: { models: [{ model: "all-MiniLM-L6-v2", requests: 1, texts: 2 }] },
    });
    // The board was measured, and the mode evaluated.
    await until("data", ({ power }) => ((power as { energyJ: number } | null)?.energyJ ?? 0) > 0);
  });

  test("shows its state", async () => {
    const status: Record<string, unknown> = await ask("/api/v1/status");
    expect(status).toMatchObject({
      ...{ agentId: "thor-1", fleet: "lab", version, role: { role: "active" }, controllerOnline: true, peers: [] },
      broker: { url: `mqtt://127.0.0.1:${brokerPort}`, connected: true, problem: null },
      outbox: { droppedRecords: 0 },
      storage: { failing: null, lost: {} },
      power: { board: "simulated", lastDecision: { kind: expect.any(String) } },
    });
    const bootId = said("presence").at(-1)?.["bootId"];
    expect(status["bootId"]).toBe(bootId);
    expect(status["startedAtMs"]).toBeLessThan(status["nowMs"] as number);
    expect(await ask("/api/v1/forecast/training")).toMatchObject({ state: expect.any(String) });
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain("thormesh_broker_connected 1");
  });

  test("sees its peers, and follows the documents", async () => {
    const peer = aPresence({ agentId: "thor-2", url: "http://127.0.0.1:9" });
    await fleet.publish(topicOf("presence", "thor-2"), JSON.stringify(peer), { retain: true });
    const document = aDesired({ version: 1, issuedAtMs: Date.UTC(2026, 0, 5), role: "standby" });
    await fleet.publish(topicOf("desired"), JSON.stringify(document), { retain: true });
    await until("reported", ({ role, desiredVersion }) => role === "standby" && desiredVersion === 1);
    await until("presence", ({ role }) => role === "standby");
    // It waits for a controller's list of peers first.
    let status = await ask("/api/v1/status");
    while ((status["peers"] as unknown[]).length === 0) {
      await Bun.sleep(20);
      status = await ask("/api/v1/status");
    }
    expect(status).toMatchObject({ peers: [{ agentId: "thor-2" }] });
    expect((await embed()).status).toBe(503);
    const again = { ...document, version: 2, role: "active" };
    await fleet.publish(topicOf("desired"), JSON.stringify(again), { retain: true });
    await until("reported", ({ desiredVersion }) => desiredVersion === 2);
    expect((await embed()).status).toBe(200);
  });

  test("a second one neither takes its port nor its state", async () => {
    const second = new Agent(configOf({ port: await freePort(), brokerPort, id: null }));
    const failure = await second.start().catch((error) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure.message).toContain("in use by another agent");
    await second.stop();
    expect(await ask("/api/v1/status")).toMatchObject({ agentId: "thor-1" });
  });

  test("leaves in order: draining, its last minute sent, then offline", async () => {
    await embed();
    const before = heard.length;
    await agent.stop();
    await until("presence", ({ status }) => status === "offline");
    const after = heard.slice(before);
    const presences = after.filter(({ topic }) => topic === topicOf("presence")).map(({ payload }) => payload);
    expect(presences.map(({ status, role }) => [status, role])).toEqual([
      ["online", "draining"],
      ["offline", "draining"],
    ]);
    // The minute under way ends with the agent.
    const minutes = after.filter(({ topic }) => topic === topicOf("data")).map(({ payload }) => payload["traffic"]);
    expect(minutes.some((traffic) => (traffic as { observedMs: number }).observedMs < 60_000)).toBe(true);
    await expect(ask("/livez")).rejects.toThrow();
  });

  test("a taken port ends the start, and leaves the state to the next", async () => {
    const taken = createServer().listen(port, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    agent = new Agent(configOf({ port, brokerPort }));
    await expect(agent.start()).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
    await new Promise((resolve) => taken.close(resolve));
    agent = new Agent(configOf({ port, brokerPort }));
    await agent.start();
    expect(await ask("/api/v1/status")).toMatchObject({ agentId: "thor-1" });
  });
});
