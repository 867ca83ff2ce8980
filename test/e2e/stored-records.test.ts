import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { AgentConfig } from "#agent/config.ts";
import type { AgentList } from "#controller/api/schemas.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { checkBroker } from "#tools/doctor/check-broker.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { eventually, type Program, startConfigured, temporaryDirectory, untilReady } from "./program.ts";

// A minute of the fleet's clock passes in 250 ms.
const clock = fastClock(240);
const running: Program[] = [];
const brokers: Mosquitto[] = [];
let directory: ReturnType<typeof temporaryDirectory>;
let mosquitto: Mosquitto;

beforeAll(async () => {
  mosquitto = await createMosquitto();
});
afterAll(async () => {
  await mosquitto.dispose();
});
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  for (const broker of brokers.splice(0)) await broker.dispose();
  directory.remove();
});

async function startAgent(url: string, fleet: string, broker: object = {}) {
  const config = {
    ...{ fleet, id: "thor-1", stateDir: join(directory.path, "agent"), clock },
    broker: { url, ...broker },
    serving: { host: "127.0.0.1", port: 0 },
    power: { board: "none" },
  };
  const program = await startConfigured("agent", config, directory.path);
  running.push(program);
  return { program, ...(await untilReady(program)) };
}

async function startController(url: string, fleet: string, broker: object = {}) {
  const config = {
    ...{ fleet, stateDir: join(directory.path, "controller"), clock },
    broker: { url, ...broker },
    api: { host: "127.0.0.1", port: 0 },
  };
  const program = await startConfigured("controller", config, directory.path);
  running.push(program);
  const { url: api } = JSON.parse(await program.untilLogged('"controller started"')) as { url: string };
  return { program, api };
}

interface AgentAnswer {
  readonly outbox: { readonly entries: number; readonly droppedRecords: number };
  readonly controllerOnline: boolean;
  readonly broker: {
    readonly protocol: string | null;
    readonly refused: readonly { readonly topic: string; readonly reason: string }[];
  };
}
const statusOf = async (url: string) => (await (await fetch(`${url}/api/v1/status`)).json()) as AgentAnswer;

/** Seqs that a controller's store holds, by boot; a row each, as the store has no place for a repeat. */
function storedSeqs(): Map<string, number[]> {
  const database = new Database(join(directory.path, "controller", "controller.db"), { readonly: true });
  try {
    const rows = database
      .query<{ bootId: string; seq: number }, []>("SELECT boot_id AS bootId, seq FROM minute ORDER BY boot_id, seq")
      .all();
    return new Map(
      Object.entries(Object.groupBy(rows, ({ bootId }) => bootId)).map(([bootId, each]) => [
        bootId,
        (each ?? []).map(({ seq }) => seq),
      ]),
    );
  } finally {
    database.close();
  }
}
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("kill -9 of controller and broker, in turn and together: nothing is lost, nothing doubled", async () => {
  const fleet = "stored";
  const { url, bootId } = await startAgent(mosquitto.url, fleet);
  let { program: controller } = await startController(mosquitto.url, fleet);
  const untilStored = (count: number) =>
    eventually(
      async () => storedSeqs().get(bootId)?.length ?? 0,
      (stored) => stored >= count,
    );
  const restart = async () => {
    ({ program: controller } = await startController(mosquitto.url, fleet));
  };
  await untilStored(2);
  expect((await statusOf(url)).broker.protocol).toBe("5");
  for (const round of [1, 2, 3]) {
    const before = storedSeqs().get(bootId)?.length ?? 0;
    if (round !== 2) await controller.stop("SIGKILL");
    if (round !== 1) await mosquitto.stop("SIGKILL");
    await eventually(
      async () => (await statusOf(url)).outbox.entries,
      (entries) => entries >= 4,
    );
    if (round !== 1) await mosquitto.start();
    if (round !== 2) await restart();
    await untilStored(before + 6);
  }
  const { outbox } = await eventually(
    () => statusOf(url),
    (status) => status.outbox.entries <= 2,
  );
  expect(outbox.droppedRecords).toBe(0);
  const seqs = storedSeqs().get(bootId) ?? [];
  expect(seqs).toEqual(upTo(seqs.length));
  expect([...storedSeqs().keys()]).toEqual([bootId]);
});

const denied = `user thor-1
topic write thormesh/v1/denied/agents/thor-1/presence
topic write thormesh/v1/denied/agents/thor-1/birth
topic write thormesh/v1/denied/agents/thor-1/reported
topic write thormesh/v1/denied/agents/thor-1/cmd-result
topic write thormesh/v1/denied/agents/thor-1/beat
topic readwrite thormesh/v1/denied/agents/thor-1/probe
topic read thormesh/v1/denied/#

user @controller
topic readwrite thormesh/v1/denied/#
`;

test("a broker that does not let the agent publish its data: the records stay, and agent and controller say why", async () => {
  const fleet = "denied";
  const users = { "thor-1": "secret of thor-1", "@controller": "secret of the controller" };
  const broker = await createMosquitto({ users, acl: denied });
  brokers.push(broker);
  const { api } = await startController(broker.url, fleet, { username: "@controller", password: users["@controller"] });
  const { url } = await startAgent(broker.url, fleet, { password: users["thor-1"] });
  const topic = "thormesh/v1/denied/agents/thor-1/data";
  const status = await eventually(
    () => statusOf(url),
    (each) => each.outbox.entries >= 3 && each.broker.refused.length > 0,
  );
  expect(status.controllerOnline).toBe(true);
  expect(status.broker.refused).toMatchObject([
    { action: "publish", topic, reason: expect.stringMatching(/not auth/i) },
  ]);
  const health = (await (await fetch(`${url}/health`)).json()) as {
    status: string;
    checks: { broker: string };
    details: { broker: string };
  };
  expect([health.status, health.checks.broker]).toEqual(["degraded", "degraded"]);
  expect(health.details.broker).toContain(topic);
  const doctor = await checkBroker(
    parseConfig(AgentConfig, { broker: { url: broker.url, password: users["thor-1"] } }, "test").broker,
    { fleet, agentId: "thor-1", environment: {} },
  );
  expect(doctor).toMatchObject({ status: "failed", detail: expect.stringContaining(`${topic}: Not authorized`) });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(Number(/^thormesh_outbox_records (\d+)/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
  const { agents } = await eventually(
    async () => (await (await fetch(`${api}/api/v1/agents`)).json()) as typeof AgentList.static,
    (answer) => (answer.agents[0]?.brokerProblems.length ?? 0) > 0,
  );
  expect(agents[0]?.brokerProblems).toEqual([expect.stringContaining(topic)]);
  const controllerHealth = await (await fetch(`${api}/healthz`)).json();
  expect(controllerHealth).toMatchObject({
    status: "degraded",
    problems: [expect.stringContaining("refuses publications or subscriptions of 1 agent(s)")],
  });
  expect(storedSeqs().size).toBe(0);
});
