import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

// The boards carry this share of what their profile states, and are offered more than one of them carries.
const actualShare = 0.05;
const offeredPerS = 60;
const fleet = "overload";
let directory: ReturnType<typeof temporaryDirectory>;
const running: Program[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  directory.remove();
});

async function start(command: "agent" | "controller", name: string, config: object): Promise<Program> {
  const settings = { fleet, stateDir: join(directory.path, name), ...config };
  const program = await startConfigured(command, settings, directory.path, { name });
  running.push(program);
  return program;
}

interface AgentRow {
  readonly agentId: string;
  readonly url: string;
  readonly role: { readonly reported: string };
  readonly powerMode: { readonly reported: string | null };
}

/** Sends requests at a steady rate, whether they are answered or not, until it is stopped. */
function flood(url: string) {
  const statuses = new Map<number, number>();
  const timer = setInterval(() => {
    const body = JSON.stringify({ model: "all-MiniLM-L6-v2", input: `a text that no cache has: ${Math.random()}` });
    const headers = { "content-type": "application/json" };
    void fetch(`${url}/v1/embeddings`, { method: "POST", headers, body, signal: AbortSignal.timeout(10_000) })
      .then(async (response) => {
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        await response.arrayBuffer();
      })
      .catch(() => undefined);
  }, 1000 / offeredPerS);
  return { statuses, stop: () => clearInterval(timer) };
}

/** Names of an agent's power modes, the most capable first. */
const modesOf = async (agentId: string, ask: (path: string) => Promise<unknown>) => {
  const { birth } = (await ask(`/api/v1/agents/${agentId}`)) as {
    birth: { board: { powerModes: { name: string }[] } };
  };
  return birth.board.powerModes.map(({ name }) => name);
};

test("a board that drowns: the one on standby serves within half a minute, no power mode is lowered, and why tells it", async () => {
  const [api, broker] = [await freePort(), await freePort()];
  await start("controller", "controller", {
    api: { port: api },
    broker: { port: broker },
    scaling: { minReplicas: 1, warmUpMs: 0 },
  });
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${api}${path}`)).json();
  const agents = async () => ((await ask("/api/v1/agents")) as { agents: AgentRow[] }).agents;
  const agent = async (id: string) => (await agents()).find(({ agentId }) => agentId === id);
  for (const [id, role] of [
    ["thor-1", "active"],
    ["thor-2", "standby"],
  ] as const) {
    await start("agent", id, {
      ...{ id, role, broker: { url: `mqtt://127.0.0.1:${broker}` }, serving: { port: 0, threads: 1 } },
      power: { board: "simulated", simulated: { actualShare } },
    });
    await eventually(
      () => agent(id),
      (row) => row?.role.reported === role && row.powerMode.reported !== null,
    );
  }
  const url = (await agent("thor-1"))?.url ?? "";
  const modes = await modesOf("thor-1", ask);
  // Idle, the board saves power: what is lowered until then is not by the flood.
  await eventually(
    () => agent("thor-1"),
    (row) => row?.powerMode.reported === modes.at(-1),
  );

  const load = flood(url);
  const startedMs = Date.now();
  const seen: number[] = [];
  let servesAfterMs = Number.POSITIVE_INFINITY;
  try {
    // The flood continues for a while after the second board has come: nothing may be taken away then either.
    while (Date.now() - startedMs < Math.min(60_000, servesAfterMs + 15_000)) {
      const [first, second] = [await agent("thor-1"), await agent("thor-2")];
      seen.push(modes.indexOf(first?.powerMode.reported ?? ""));
      if (second?.role.reported === "active") servesAfterMs = Math.min(servesAfterMs, Date.now() - startedMs);
      await Bun.sleep(250);
    }
  } finally {
    load.stop();
  }
  expect(load.statuses.get(429) ?? 0).toBeGreaterThan(0);
  expect(servesAfterMs).toBeLessThan(30_000);
  expect(seen).toEqual(seen.toSorted((a, b) => b - a));

  const { decisions } = (await ask("/api/v1/decisions")) as {
    decisions: { atMs: number; kind: string; rule: string; reason: string; outcome: { activated: string[] } }[];
  };
  const [out] = decisions.filter(({ kind }) => kind === "scale-out");
  expect(out?.outcome.activated).toEqual(["thor-2"]);
  expect(["slo-missed", "overloaded"]).toContain(out?.rule ?? "");
  expect(decisions.map(({ kind }) => kind)).not.toContain("scale-in");
  expect(decisions.filter(({ atMs }) => atMs >= (out?.atMs ?? 0)).map(({ rule }) => rule)).not.toContain("sufficient");

  const why = Bun.spawn([...programCommand, "why", "--changes", "--url", `http://127.0.0.1:${api}`], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const told = await new Response(why.stdout).text();
  expect(await why.exited).toBe(0);
  expect(told).toMatch(/users were refused [\d.]+ of [\d.]+ requests\/s in the last \d+ s and thor-1 answer/);
  expect(told).toContain("told to serve: thor-2");
});
