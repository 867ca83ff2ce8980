import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { ClockConfig } from "#platform/clock.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { freePort } from "../fakes/free-port.ts";
import {
  embedTexts,
  eventually,
  type Program,
  programCommand,
  startConfigured,
  temporaryDirectory,
} from "./program.ts";

// A minute of the fleet's clock passes in 250 ms.
const speed = 240;
const fleet = "e2e";
let clock: ClockConfig;
let directory: ReturnType<typeof temporaryDirectory>;
const running: Program[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
  clock = fastClock(speed);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  directory.remove();
});

async function start(command: "agent" | "controller", name: string, config: object): Promise<Program> {
  const settings = { fleet, stateDir: join(directory.path, name), clock, ...config };
  const program = await startConfigured(command, settings, directory.path, { name });
  running.push(program);
  return program;
}

interface Ports {
  readonly api: number;
  readonly broker: number;
}

async function startController({ api, broker }: Ports): Promise<Program> {
  const program = await start("controller", "controller", {
    api: { port: api },
    broker: { port: broker },
    scaling: { minReplicas: 2, warmUpMs: 60_000 },
  });
  await eventually(
    async () => (await fetch(`http://127.0.0.1:${api}/healthz`)).status,
    (status) => status === 200,
  );
  return program;
}

// A keep-alive longer than a test may take: an agent's end is noticed by its broken connection.
const startAgent = (id: string, { broker }: Ports) =>
  start("agent", id, {
    id,
    broker: { url: `mqtt://127.0.0.1:${broker}`, keepAliveS: 3_600 },
    serving: { port: 0, threads: 1 },
    power: { board: "simulated" },
  });

interface AgentRow {
  readonly agentId: string;
  readonly status: string;
  readonly url: string;
  readonly role: { readonly reported: string };
}

async function agents({ api }: Ports): Promise<AgentRow[]> {
  const response = await fetch(`http://127.0.0.1:${api}/api/v1/agents`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { agents: AgentRow[] }).agents;
}

const statusOf = async (id: string, ports: Ports) =>
  (await agents(ports)).find(({ agentId }) => agentId === id)?.status;

/** All stored minutes of an agent, boot by boot, in order. */
function storedMinutes(id: string): { bootId: string; seq: number; minuteStartMs: number; texts: number }[] {
  const database = new Database(join(directory.path, "controller", "controller.db"), { readonly: true });
  try {
    return database
      .query<{ bootId: string; seq: number; minuteStartMs: number; texts: number }, [string]>(
        `SELECT boot_id AS bootId, seq, minute_start_ms AS minuteStartMs, texts FROM minute
         WHERE agent_id = ? ORDER BY minute_start_ms, boot_id, seq`,
      )
      .all(id);
  } finally {
    database.close();
  }
}

test("kill -9 of an agent shows at once, without waiting for its keep-alive; its return leaves no minute twice and none out but the one under way", async () => {
  const ports = { api: await freePort(), broker: await freePort() };
  await startController(ports);
  const agent = await startAgent("thor-1", ports);
  const { url } = JSON.parse(await agent.untilLogged("agent started"));
  await eventually(
    () => statusOf("thor-1", ports),
    (status) => status === "online",
  );
  await embedTexts(url, 12);
  await eventually(
    async () => storedMinutes("thor-1").reduce((sum, { texts }) => sum + texts, 0),
    (texts) => texts === 12,
  );
  // The connection breaks with the process.
  await agent.stop("SIGKILL");
  await eventually(
    () => statusOf("thor-1", ports),
    (status) => status === "offline",
  );

  const returned = await startAgent("thor-1", ports);
  const { url: newUrl } = JSON.parse(await returned.untilLogged("agent started"));
  await eventually(
    () => statusOf("thor-1", ports),
    (status) => status === "online",
  );
  await embedTexts(newUrl, 5);
  await eventually(
    async () => storedMinutes("thor-1").reduce((sum, { texts }) => sum + texts, 0),
    (texts) => texts >= 17,
  );
  const minutes = storedMinutes("thor-1");
  expect(minutes.reduce((sum, { texts }) => sum + texts, 0)).toBe(17);
  const boots = [...new Set(minutes.map(({ bootId }) => bootId))];
  expect(boots).toHaveLength(2);
  for (const boot of boots) {
    const ofBoot = minutes.filter(({ bootId }) => bootId === boot);
    expect(ofBoot.map(({ seq }) => seq)).toEqual(ofBoot.map((_, index) => index + 1));
    const starts = ofBoot.map(({ minuteStartMs }) => minuteStartMs);
    expect(starts).toEqual(starts.map((_, index) => (starts[0] as number) + index * 60_000));
  }
});

test("a controller that is away for a while misses no minute of its agents", async () => {
  const ports = { api: await freePort(), broker: await freePort() };
  const controller = await startController(ports);
  const agent = await startAgent("thor-1", ports);
  const { url } = JSON.parse(await agent.untilLogged("agent started"));
  await eventually(
    async () => storedMinutes("thor-1").length,
    (count) => count >= 2,
  );
  await embedTexts(url, 4);
  await controller.stop("SIGKILL");
  await embedTexts(url, 6);
  await eventually(
    async () => (await (await fetch(`${url}/api/v1/status`)).json()) as { outbox: { entries: number } },
    (status) => status.outbox.entries >= 5,
  );
  await startController(ports);
  await eventually(
    async () => storedMinutes("thor-1").reduce((sum, { texts }) => sum + texts, 0),
    (texts) => texts >= 10,
  );
  const minutes = storedMinutes("thor-1");
  expect(minutes.reduce((sum, { texts }) => sum + texts, 0)).toBe(10);
  expect(minutes.map(({ seq }) => seq)).toEqual(minutes.map((_, index) => index + 1));
});

test("the fleet puts agents it does not need on standby; those pass requests on, and an override brings one back", async () => {
  const ports = { api: await freePort(), broker: await freePort() };
  await startController(ports);
  for (const id of ["a", "b", "c"]) await startAgent(id, ports);
  const settled = await eventually(
    () => agents(ports),
    (rows) => rows.length === 3 && rows.filter(({ role }) => role.reported === "standby").length === 1,
  );
  const standby = settled.find(({ role }) => role.reported === "standby") as AgentRow;
  // Whoever asks the one on standby is answered by one that serves.
  const ask = () =>
    fetch(`${standby.url}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: "x" }),
    });
  // At this clock a role may come before the others have told of their models.
  const passedOn = await eventually(ask, ({ status }) => status === 200);
  const others = settled.map(({ agentId }) => agentId).filter((id) => id !== standby.agentId);
  expect(others).toContain(passedOn.headers.get("x-thormesh-served-by") ?? "nobody");

  const { decisions } = (await (await fetch(`http://127.0.0.1:${ports.api}/api/v1/decisions`)).json()) as {
    decisions: { reason: string }[];
  };
  expect(decisions.some(({ reason }) => reason.includes(standby.agentId))).toBe(true);

  const why = Bun.spawn(
    [...programCommand, "why", "--agent", standby.agentId, "--url", `http://127.0.0.1:${ports.api}`],
    {
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const explanation = await new Response(why.stdout).text();
  expect(await why.exited).toBe(0);
  expect(explanation).toContain(`told to stand by: ${standby.agentId}`);
  // What an agent carries is measured here, at most what the board states.
  expect(Number(/takes \d+ agents? loaded to 80 % of (\d+)/.exec(explanation)?.[1])).toBeWithin(1, 421);

  const override = await fetch(`http://127.0.0.1:${ports.api}/api/v1/agents/${standby.agentId}/override`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ role: "active", powerMode: "70W", expiresInS: 36_000 }),
  });
  expect(override.status).toBeLessThan(300);
  await eventually(
    async () =>
      (await (await fetch(`${standby.url}/api/v1/status`)).json()) as {
        role: { role: string };
        power: { mode: string };
      },
    (status) => status.role.role === "active" && status.power.mode === "70W",
  );
  await embedTexts(standby.url, 1);
});
