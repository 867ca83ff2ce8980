import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { hedgeRules, retryRules } from "#agent/mesh/routing/attempt-budget.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { eventually, type Program, startConfigured, temporaryDirectory } from "./program.ts";

const fleet = "mesh";
let directory: ReturnType<typeof temporaryDirectory>;
let mosquitto: Mosquitto;
const running = new Map<string, Program>();
beforeEach(async () => {
  directory = temporaryDirectory();
  mosquitto = await createMosquitto();
});
afterEach(async () => {
  for (const program of running.values()) await program.stop("SIGKILL");
  running.clear();
  await mosquitto.dispose();
  directory.remove();
});

async function startAgent(id: string, config: object = {}): Promise<string> {
  const settings = {
    ...{ fleet, id, stateDir: join(directory.path, id), broker: { url: mosquitto.url } },
    ...{
      serving: { port: 0, threads: 1, cacheBytes: 0 },
      power: { board: "simulated" },
      // All of one price: by its electricity, one that was measured while another test computed would be the more expensive one.
      mesh: { usdPerRequest: 0.000_001 },
    },
    ...config,
  };
  const program = await startConfigured("agent", settings, directory.path, { name: id });
  running.set(id, program);
  return JSON.parse(await program.untilLogged("agent started")).url;
}

const knows = async (url: string): Promise<string[]> => {
  const status = (await (await fetch(`${url}/api/v1/status`)).json()) as { peers: { agentId: string }[] };
  return status.peers.map(({ agentId }) => agentId).sort();
};

test("a client with one address loses no request while agents are killed, stop and come back; each is told who answered", async () => {
  // The entry is on standby: it answers nothing itself.
  const entry = await startAgent("entry", { role: "standby", mesh: { targetMs: 600_000 } });
  await Promise.all([startAgent("thor-1"), startAgent("thor-2"), startAgent("thor-3")]);
  await eventually(
    () => knows(entry),
    (peers) => peers.join() === "thor-1,thor-2,thor-3",
  );
  const servedBy = new Map<string, number>();
  const failures: string[] = [];
  let asked = 0;
  let isOver = false;
  const client = async (name: number) => {
    while (!isOver) {
      asked += 1;
      const response = await fetch(`${entry}/v1/embeddings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: `client ${name} asks for the ${asked}th time` }),
      });
      const by = response.headers.get("x-thormesh-served-by") ?? "nobody";
      servedBy.set(by, (servedBy.get(by) ?? 0) + 1);
      if (response.status !== 200) failures.push(`${response.status} ${await response.text()}`);
      else await response.arrayBuffer();
      await Bun.sleep(20);
    }
  };
  const beganMs = performance.now();
  const clients = [1, 2, 3].map(client);
  const countOf = (id: string) => servedBy.get(id) ?? 0;
  const untilMore = async (id: string) => {
    const before = countOf(id);
    await eventually(
      async () => countOf(id),
      (count) => count > before,
    );
  };
  for (const id of ["thor-1", "thor-2", "thor-3"]) await untilMore(id);

  await running.get("thor-1")?.stop("SIGKILL");
  await untilMore("thor-2");
  await startAgent("thor-1");
  await untilMore("thor-1");
  await running.get("thor-2")?.stop("SIGTERM");
  await running.get("thor-3")?.stop("SIGKILL");
  await untilMore("thor-1");
  await startAgent("thor-3");
  await untilMore("thor-3");
  isOver = true;
  await Promise.all(clients);
  const seconds = (performance.now() - beganMs) / 1000;
  expect(failures).toEqual([]);
  expect(countOf("nobody") + countOf("home")).toBe(0);

  const { routes } = (await (await fetch(`${entry}/api/v1/mesh`)).json()) as { routes: { reason: string }[] };
  expect(routes[0]?.reason).toMatch(/^thor-\d: /);
  const metrics = await (await fetch(`${entry}/metrics`)).text();
  const told = [...metrics.matchAll(/^thormesh_routes_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  expect(told).toBe(asked);
  // Extra attempts stay within their budget: a share of the requests, some a second, and what may be saved up.
  const extra = [...metrics.matchAll(/^thormesh_route_extra_attempts_total\{.*\} (\d+)$/gm)];
  expect(extra.reduce((sum, [, n]) => sum + Number(n), 0)).toBeLessThan(
    (retryRules.share + hedgeRules.share) * asked +
      (retryRules.perS + hedgeRules.perS) * seconds +
      (retryRules.max + hedgeRules.max) / 3 +
      1,
  );
});

test("with nobody left the client is told so, and again answered when somebody is back", async () => {
  const entry = await startAgent("entry", { role: "standby" });
  const ask = () =>
    fetch(`${entry}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: "is anybody there?" }),
    });
  const alone = await ask();
  expect({ status: alone.status, retry: alone.headers.get("retry-after") }).toEqual({ status: 503, retry: "5" });
  await startAgent("thor-1");
  await eventually(
    async () => (await ask()).status,
    (status) => status === 200,
  );
});
