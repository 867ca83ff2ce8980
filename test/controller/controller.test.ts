import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import { ControllerConfig } from "#controller/config.ts";
import { Controller } from "#controller/controller.ts";
import { Ingest } from "#controller/fleet/ingest.ts";
import { Housekeeping } from "#controller/housekeeping.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { createClock, systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import type { Desired, MinuteData } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { eventually } from "../e2e/program.ts";
import { agentLogin, observerLogin, testKey } from "../fakes/broker-clients.ts";
import { aBirth, aForecast, aMinute, aPresence, aReported } from "../fakes/builders.ts";
import { createMosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";

const log = createLogger("test", "silent");

/** Forecasts that the newest known rate continues. */
const sameAgain: Forecaster = {
  async start() {},
  async stop() {},
  async forecast(history, nowMs) {
    const last = history.findLast(({ qps }) => qps !== null)?.qps ?? 0;
    return aForecast(last, { madeAtMs: Math.round(nowMs), model: "naive" });
  },
  describe: () => ({ model: "naive", backend: "none", reason: "test" }),
};

interface SimulatedAgent {
  minute(qps: number, given?: Partial<MinuteData>): Promise<void>;
  /** Resolves with the first document, past or coming, that gives this role. */
  told(role: Desired["role"]): Promise<Desired>;
  /** The newest word on the controller. */
  controllerSays(status: string): Promise<void>;
  /** Breaks the connection as a power cut does. */
  die(): Promise<void>;
  leave(): Promise<void>;
}

async function simulateAgent(
  { brokerUrl, stateDir }: { brokerUrl: string; stateDir: string },
  agentId: string,
  role: Desired["role"],
): Promise<SimulatedAgent> {
  const topic = (channel: string) => `thormesh/v1/default/agents/${agentId}/${channel}`;
  const offline = JSON.stringify(aPresence({ agentId, status: "offline", role: "standby" }));
  // A broker elsewhere lets everybody in, and whoever starts with no key has none there.
  const key = readBrokerKey(stateDir) ?? testKey;
  const { clientId, ...login } = agentLogin(agentId, "default", key);
  const credentials = () => login;
  const will = { topic: topic("presence"), payload: offline };
  const broker = new MqttBroker({ url: brokerUrl, clientId, credentials, will }, log);
  const documents: Desired[] = [];
  let controller = "";
  let onNews: () => void = () => undefined;
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        onNews = resolve;
      });
    }
  };
  broker.subscribe(topic("desired"), ({ payload }) => {
    const document = JSON.parse(new TextDecoder().decode(payload));
    documents.push(document);
    // Not awaited: a handler must not wait for a publish.
    const sentAtMs = Date.now();
    void broker.publish(
      topic("reported"),
      JSON.stringify(aReported({ agentId, sentAtMs, desiredVersion: document.version, role: document.role })),
      { retain: true },
    );
    onNews();
  });
  broker.subscribe("thormesh/v1/default/controller/state", ({ payload }) => {
    controller = JSON.parse(new TextDecoder().decode(payload)).status;
    onNews();
  });
  await broker.start();
  await untilConnected(broker);
  const sentAtMs = Date.now();
  await broker.publish(topic("presence"), JSON.stringify(aPresence({ agentId, role, sentAtMs })), { retain: true });
  await broker.publish(topic("birth"), JSON.stringify(aBirth({ agentId, sentAtMs })), { retain: false });
  let seq = 0;
  return {
    async minute(qps, given = {}) {
      seq += 1;
      const minuteStartMs = Math.floor(Date.now() / 60_000) * 60_000 - 60_000;
      const data = aMinute({ agentId, seq, role, minuteStartMs, requests: qps * 60, ...given });
      await broker.publish(topic("data"), JSON.stringify(data), { retain: false });
    },
    told: (wanted) => until(() => documents.find((document) => document.role === wanted)),
    async controllerSays(status) {
      await until(() => (controller === status ? true : undefined));
    },
    async die() {
      // Taking over the client id with a will of its own session: the broker ends the old connection, and its will goes out.
      const usurper = new MqttBroker({ url: brokerUrl, clientId, credentials }, log);
      const stopped = broker.stop.bind(broker);
      await usurper.start();
      await untilConnected(usurper);
      await stopped();
      await usurper.stop();
    },
    leave: () => broker.stop(),
  };
}

describe("controller", () => {
  let stateDir: string;
  let controller: Controller | undefined;
  const agents: SimulatedAgent[] = [];

  const begin = async (given: object = {}) => {
    const config = parseConfig(
      ControllerConfig,
      {
        stateDir,
        logLevel: "silent",
        api: { port: 0 },
        broker: { port: 0, shareKey: false },
        scaling: { warmUpMs: 0, intervalMs: 1000, offsetMs: 0 },
        ...given,
      },
      "test",
    );
    controller = new Controller(config, { log, clock: systemClock, forecaster: sameAgain });
    await controller.start();
    return controller;
  };
  const enter = async (agentId: string, role: Desired["role"]) => {
    const agent = await simulateAgent({ brokerUrl: controller!.brokerUrl, stateDir }, agentId, role);
    agents.push(agent);
    return agent;
  };
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(controller!.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
    return { status: response.status, body: (text.startsWith("{") ? JSON.parse(text) : text) as any };
  };

  /** Channels on which the broker keeps a message of this agent. */
  const retainedOf = async (agentId: string) => {
    const topics: string[] = [];
    const all = Promise.withResolvers<void>();
    const client = await connectAsync(
      controller!.brokerUrl,
      observerLogin("default", readBrokerKey(stateDir) ?? testKey),
    );
    client.on("message", (topic, _, { retain }) => {
      if (topic.endsWith("controller/state")) all.resolve();
      // What is said just now, such as an acknowledgement, is not retained.
      else if (retain) topics.push(topic);
    });
    // The broker takes subscriptions in order: the controller's word comes last.
    await client.subscribeAsync(`thormesh/v1/default/agents/${agentId}/+`, { qos: 1 });
    await client.subscribeAsync("thormesh/v1/default/controller/state", { qos: 1 });
    await all.promise;
    await client.endAsync();
    return topics;
  };

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "thormesh-controller-"));
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.leave();
    await controller?.stop();
    controller = undefined;
    rmSync(stateDir, { recursive: true, force: true });
  });

  test("takes a fleet in, activates for the load, replaces what is lost, says what it costs, and why", async () => {
    await begin({ scaling: { warmUpMs: 0, intervalMs: 1000, offsetMs: 0, minReplicas: 1 } });
    const a = await enter("a", "active");
    const b = await enter("b", "standby");
    const c = await enter("c", "standby");
    await Promise.all([a.controllerSays("online"), b.minute(0), c.minute(0)]);
    await a.minute(500);
    const { reason } = await b.told("active");
    expect(reason).toMatch(/takes 2 agents loaded to 80 % of 350; 1 serves.* -> switch on b/);

    await b.die();
    await c.told("active");

    const fleet = (await ask("GET", "/api/v1/fleet")).body;
    expect(fleet).toMatchObject({ fleet: "default", agents: { total: 3, online: 2, offline: 1 }, qps: 500 });
    const list = (await ask("GET", "/api/v1/agents")).body;
    expect(list.agents.map(({ agentId, status }: Record<string, string>) => `${agentId} ${status}`)).toEqual([
      "a online",
      "b offline",
      "c online",
    ]);
    expect(list.agents[0]).toMatchObject({ qps: 500, p95LatencyMs: expect.any(Number), watts: 30, board: "Thor" });
    const page = (await ask("GET", "/api/v1/agents?limit=1&after=a")).body;
    expect([page.agents.map(({ agentId }: Record<string, string>) => agentId), page.total]).toEqual([["b"], 3]);
    expect(await ask("GET", "/api/v1/agents?limit=0")).toMatchObject({ status: 400 });
    const detail = (await ask("GET", "/api/v1/agents/b")).body;
    expect(detail).toMatchObject({
      status: "offline",
      desired: { role: "standby" },
      birth: { board: { name: "Thor" } },
    });

    const { decisions } = (await ask("GET", "/api/v1/decisions?kind=scale-out&limit=10")).body;
    expect(decisions.map(({ rule }: { rule: string }) => rule)).toContain("replacement");
    const one = (await ask("GET", `/api/v1/decisions/${decisions[0].id}`)).body;
    // What came of it may be written down in between.
    const { aftermath, ...told } = one;
    expect({ ...told, outcome: null }).toEqual({ ...decisions[0], outcome: null });
    expect(aftermath).toMatchObject({ rule: "going-on", believedPeakQps: decisions[0].inputs.peakQps });
    expect(one.outcome).toMatchObject({ activated: expect.any(Array), skipped: expect.any(Array) });
    expect((await ask("GET", "/api/v1/decisions?agent=c")).body.decisions.length).toBeGreaterThan(0);

    const { minutes } = (await ask("GET", "/api/v1/traffic?hours=1")).body;
    expect(minutes.map(({ qps }: { qps: number }) => qps)).toContain(500);
    expect((await ask("GET", "/api/v1/traffic?hours=0")).status).toBe(400);

    const cost = (await ask("GET", "/api/v1/cost?window=15m")).body;
    expect(cost).toMatchObject({ requests: 30_000, missingEnergyMinutes: 0, allOnUnknownReason: null });
    expect(cost.totalUsd).toBeCloseTo(3 * (0.0005 * 0.15 + 0.133 / 60), 9);

    const metrics = (await ask("GET", "/metrics")).body;
    expect(metrics).toContain('thormesh_agents{state="offline"} 1');
    // Its forecasts are compared with what comes, once their 15 minutes are over.
    expect(metrics).toContain('thormesh_fleet_forecast_scored{window="24h"} 0');
    expect((await ask("GET", "/api/v1/forecast/accuracy?window=7d")).body).toMatchObject({ forecasts: 0, rises: 0 });
    expect(metrics).toMatch(/akidb_cost_requests_total\{agent="a"\} 30000/);
    expect(metrics).toMatch(/thormesh_controller_messages_total\{channel="data",outcome="accepted"\} 3/);

    await controller?.stop();
    await a.controllerSays("offline");
  });

  test("a new run continues: documents are there again, nothing is doubled", async () => {
    await begin();
    const first = await enter("a", "active");
    await enter("b", "standby");
    await first.minute(500);
    const { version } = await agents[1]!.told("active");
    for (const agent of agents.splice(0)) await agent.leave();
    await controller?.stop();

    await begin();
    const again = await enter("b", "standby");
    expect((await again.told("active")).version).toBe(version);
    const cost = (await ask("GET", "/api/v1/cost?window=1h")).body;
    expect(cost.requests).toBe(30_000);
  });

  test("a deleted agent is gone, also for a new run and at the broker, makes room, and may come back as new", async () => {
    const settings = { ingest: { maxAgents: 1 } };
    const ids = async () =>
      (await ask("GET", "/api/v1/agents")).body.agents.map(({ agentId }: Record<string, string>) => agentId);
    await begin(settings);
    const a = await enter("a", "active");
    await a.controllerSays("online");
    await a.minute(10);
    const refused = await ask("DELETE", "/api/v1/agents/a");
    expect([refused.status, refused.body.error]).toEqual([409, "agent a is online: stop it first"]);
    expect(await retainedOf("a")).not.toEqual([]);
    await a.die();
    await eventually(
      async () => (await ask("GET", "/api/v1/agents/a")).body,
      ({ status }) => status === "offline",
    );
    expect(await ask("DELETE", "/api/v1/agents/a")).toEqual({ status: 204, body: "" });
    expect((await ask("DELETE", "/api/v1/agents/a")).status).toBe(404);
    expect(await ids()).toEqual([]);
    expect(await retainedOf("a")).toEqual([]);

    await controller?.stop();
    await begin(settings);
    expect(await ids()).toEqual([]);
    const b = await enter("b", "active");
    await b.controllerSays("online");
    await b.minute(10);
    expect(await ids()).toEqual(["b"]);
    await b.die();
    await eventually(
      async () => (await ask("GET", "/api/v1/agents/b")).body,
      ({ status }) => status === "offline",
    );
    expect((await ask("DELETE", "/api/v1/agents/b")).status).toBe(204);
    await enter("a", "standby");
    await eventually(ids, (known) => known.length > 0);
    expect((await ask("GET", "/api/v1/agents/a")).body).toMatchObject({ status: "online", recentMinutes: [] });
  });

  test("looks after the store's size every five minutes of its clock", async () => {
    const trimmed = Promise.withResolvers<void>();
    const reconsider = spyOn(Ingest.prototype, "reconsider");
    const trim = spyOn(Housekeeping.prototype, "trim").mockImplementation(async () => {
      // Once as it starts, then after minutes that were in doubt are looked at again.
      if (reconsider.mock.calls.length > 0) trimmed.resolve();
    });
    try {
      const config = parseConfig(
        ControllerConfig,
        { stateDir, logLevel: "silent", api: { port: 0 }, broker: { port: 0 } },
        "test",
      );
      const clock = createClock({ speed: 600, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5, 12, 1) });
      controller = new Controller(config, { log, clock, forecaster: sameAgain });
      await controller.start();
      await trimmed.promise;
    } finally {
      reconsider.mockRestore();
      trim.mockRestore();
    }
  });

  test("an override comes before the controller's decisions", async () => {
    await begin();
    const a = await enter("a", "active");
    const b = await enter("b", "active");
    const c = await enter("c", "standby");
    for (const agent of [a, b, c]) await agent.minute(10);
    const capped = await ask("POST", "/api/v1/agents/a/override", { powerModeCap: "70W", expiresInS: 60 });
    expect(capped.body.desired).toMatchObject({ powerMode: null, powerModeCap: "70W", role: "active" });
    expect(capped.body.desired.reason).toContain("at most power mode 70W");
    const ended = await ask("DELETE", "/api/v1/agents/a/override");
    expect(ended.body.desired).not.toHaveProperty("powerModeCap");
    expect(ended.body.desired).toMatchObject({ powerMode: null, powerModeUntilMs: null });
    const applied = await ask("POST", "/api/v1/agents/b/override", {
      role: "standby",
      powerMode: "70W",
      expiresInS: 60,
    });
    expect(applied.status).toBe(200);
    expect(applied.body.desired).toMatchObject({ role: "standby", powerMode: "70W" });
    expect((await b.told("standby")).reason).toContain("operator");
    await c.told("active");
    expect((await ask("GET", "/api/v1/agents/b")).body.override).toMatchObject({ role: "standby" });
    expect((await ask("DELETE", "/api/v1/agents/b/override")).status).toBe(200);
    expect((await ask("DELETE", "/api/v1/agents/b/override")).status).toBe(404);
  });

  describe("bad requests", () => {
    beforeEach(async () => {
      await begin();
      await enter("a", "active");
    });
    test.each([
      ["GET", "/api/v1/agents/nobody", undefined, 404, /nobody/],
      ["GET", "/api/v1/agents/%24%24", undefined, 400, /id/],
      ["GET", "/api/v1/decisions/99999", undefined, 404, /99999/],
      ["GET", "/api/v1/decisions/first", undefined, 400, /id: expected/],
      ["GET", "/api/v1/decisions?limit=0", undefined, 400, /limit: expected/],
      ["GET", "/api/v1/decisions?kind=grow", undefined, 400, /kind: expected one of "hold"/],
      ["GET", "/api/v1/decisions?colour=red", undefined, 400, /colour: unknown field/],
      ["GET", "/api/v1/cost?window=soon", undefined, 400, /window: expected 15m.*got "soon"/],
      ["GET", "/api/v1/cost?windw=1h", undefined, 400, /windw: unknown field/],
      ["GET", "/allocation", undefined, 400, /window: expected/],
      ["GET", "/allocation?window=0d", undefined, 400, /window: expected a start before the end, got "0d"/],
      [
        "GET",
        "/allocation?window=1583712000,1583884800000",
        undefined,
        400,
        /window: expected both times in unix seconds/,
      ],
      ["GET", "/allocation?window=7d&step=0h", undefined, 400, /step: expected 15m.*got "0h"/],
      [
        "GET",
        "/allocation?window=7d&step=1m",
        undefined,
        400,
        /step: expected at most 1000 steps in the window, got "1m"/,
      ],
      [
        "GET",
        "/allocation/compute?window=7d&aggregate=tennant",
        undefined,
        400,
        /aggregate: expected one of .*got "tennant"/,
      ],
      ["GET", "/allocation/summary?window=7d&shareIdle=half", undefined, 400, /shareIdle: expected true, weighted/],
      [
        "GET",
        "/allocation?window=7d&filter=tenant=red",
        undefined,
        400,
        /filter: expected conditions.*got "tenant=red"/,
      ],
      ["GET", "/assets?window=7d&filter=tennant:%22red%22", undefined, 400, /filter: expected one of .*tenant/],
      ["GET", "/assets?window=7d&aggregate=tenant", undefined, 400, /aggregate: unknown field/],
      ["GET", "/nowhere", undefined, 404, /nowhere/],
      ["PUT", "/api/v1/fleet", undefined, 405, /GET/],
      ["POST", "/api/v1/agents/a/override", {}, 400, /expiresInS: expected/],
      ["POST", "/api/v1/agents/a/override", { expiresInS: 60 }, 400, /role, powerMode or powerModeCap/],
      ["POST", "/api/v1/agents/a/override", { powerModeCap: "9W", expiresInS: 60 }, 400, /powerModeCap: .*MAXN, 70W/],
      ["POST", "/api/v1/agents/a/override", { role: "boss", expiresInS: 60 }, 400, /role: expected one of "active"/],
      ["POST", "/api/v1/agents/a/override", { role: "active", expiresInS: 0 }, 400, /expiresInS/],
      ["POST", "/api/v1/agents/a/override", { powerMode: "9W", expiresInS: 60 }, 400, /MAXN, 70W/],
      ["POST", "/api/v1/agents/a/override", { role: "active", expiresInS: 60, x: 1 }, 400, /x: unknown field/],
      ["POST", "/api/v1/agents/nobody/override", { role: "active", expiresInS: 60 }, 404, /nobody/],
    ])("%s %s %j: %p", async (method, path, body, status, message) => {
      const answer = await ask(method, path, body);
      expect(answer.status).toBe(status);
      expect(answer.body.error).toMatch(message);
      expect(answer.body.code).toBeString();
    });
  });

  test("a second one on the same store stands by, opens nothing, and takes over when the first ends", async () => {
    const first = await begin();
    const ports = { api: { port: 0 }, broker: { port: 0, shareKey: false } };
    const config = parseConfig(ControllerConfig, { stateDir, ...ports }, "test");
    const second = new Controller(config, { log, clock: systemClock, forecaster: sameAgain });
    const starting = second.start();
    const third = new Controller(config, { log, clock: systemClock, forecaster: sameAgain });
    const waiting = third.start();
    await third.stop();
    await waiting;
    expect([second.url, third.url]).toEqual(["", ""]);
    await first.stop();
    await starting;
    controller = second;
    expect((await ask("GET", "/healthz")).status).toBe(200);
  });

  test("a freeze is an operator's word like others: set, seen, on record, ended", async () => {
    await begin();
    expect((await ask("GET", "/api/v1/freeze")).body).toEqual({ freeze: null });
    expect((await ask("POST", "/api/v1/freeze", {})).status).toBe(400);
    const set = await ask("POST", "/api/v1/freeze", { reason: "fair", expiresInS: 600 });
    expect(set.body.freeze).toMatchObject({ reason: "fair" });
    expect((await ask("GET", "/api/v1/freeze")).body).toEqual(set.body);
    expect((await ask("DELETE", "/api/v1/freeze")).body).toEqual({ freeze: null });
    expect((await ask("DELETE", "/api/v1/freeze")).status).toBe(404);
    const { decisions } = (await ask("GET", "/api/v1/decisions?kind=freeze")).body;
    expect(decisions.map(({ rule }: { rule: string }) => rule)).toEqual(["thawed", "frozen"]);
    expect((await ask("GET", "/api/v1/policy")).status).toBe(404);
  });

  test("scales by a policy file, and says what is in force", async () => {
    const policyFile = join(stateDir, "policy.yaml");
    writeFileSync(policyFile, "{name: factory, minReplicas: 1, maxReplicas: 3}");
    await begin({ scaling: { policyFile } });
    expect((await ask("GET", "/api/v1/policy")).body).toMatchObject({ name: "factory", mode: "act", problem: null });
    await controller?.stop();
    writeFileSync(policyFile, "{minReplicas: none}");
    expect(begin({ scaling: { policyFile } })).rejects.toThrow('minReplicas: expected integer, got "none"');
  });

  test("health and the OpenAPI document", async () => {
    await begin();
    expect((await ask("GET", "/healthz")).body).toMatchObject({ status: "ok", brokerConnected: true });
    const paths = Object.keys((await ask("GET", "/openapi/json")).body.paths);
    for (const path of ["/api/v1/fleet", "/api/v1/agents/{id}", "/api/v1/decisions", "/api/v1/cost", "/metrics"]) {
      expect(paths).toContain(path);
    }
    expect((await ask("GET", "/openapi")).status).toBe(200);
    const { body } = await ask("GET", "/openapi/json");
    const cost = body.paths["/api/v1/cost"].get;
    expect(cost.parameters).toMatchObject([{ name: "window", required: false }]);
    expect(Object.keys(body.paths["/metrics"].get.responses[200].content)).toEqual(["text/plain"]);
  });

  test("with a key, only health, metrics and the API's description are open", async () => {
    await begin({ api: { port: 0, apiKeys: ["secret-key"] } });
    expect((await ask("GET", "/api/v1/fleet")).status).toBe(401);
    expect((await ask("GET", "/healthz")).status).toBe(200);
    const withKey = await fetch(`${controller!.url}/api/v1/fleet`, { headers: { authorization: "Bearer secret-key" } });
    expect(withKey.status).toBe(200);
  });

  test.each([
    ["the API", { api: { host: "0.0.0.0", port: 0 } }, /api: refusing to listen on 0.0.0.0/],
    ["the broker", { broker: { host: "0.0.0.0", port: 0 } }, /broker: refusing to listen on 0.0.0.0.*plainText/],
  ])("does not open %s to other machines unasked", async (_name, given, message) => {
    expect(begin(given)).rejects.toThrow(message);
  });

  test.each(["username", "password", "passwordFile"])(
    "one %s for all at the embedded broker is refused",
    async (key) => {
      expect(begin({ broker: { port: 0, [key]: "fleet" } })).rejects.toThrow(
        new RegExp(`broker.${key}: only valid with broker.url.*thormesh controller secret`),
      );
    },
  );

  test("a port in use is named, and nothing stays open", async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
    const { port } = occupant.address() as { port: number };
    await expect(begin({ broker: { port } })).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
    await expect(begin({ api: { port } })).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
    await new Promise((resolve) => occupant.close(resolve));
    await begin({ broker: { port, shareKey: false } });
  });

  test("a damaged state file is moved aside and the controller starts afresh", async () => {
    writeFileSync(join(stateDir, "controller.db"), "this is no database".repeat(1000));
    await begin();
    expect((await ask("GET", "/api/v1/fleet")).body.agents.total).toBe(0);
    expect(readdirSync(stateDir).some((name) => name.includes("corrupt"))).toBe(true);
  });

  test("works with a broker that runs elsewhere", async () => {
    const mosquitto = await createMosquitto();
    try {
      await begin({ broker: { url: mosquitto.url } });
      const a = await enter("a", "active");
      const b = await enter("b", "standby");
      await a.controllerSays("online");
      await b.minute(0);
      await a.minute(500);
      await b.told("active");
      await controller?.stop();
      await a.controllerSays("offline");
    } finally {
      for (const agent of agents.splice(0)) await agent.leave();
      await mosquitto.dispose();
    }
  });
});
