import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let agent: Program;
let url: string;

beforeEach(async () => {
  directory = temporaryDirectory();
  const options = ["--listen", "127.0.0.1:0", "--grpc", "off", "--board", "none", "--broker", "mqtt://127.0.0.1:1"];
  const configPath = join(directory.path, "agent.json");
  const serving = { batchTimeoutMs: 5_000, cacheBytes: 0, requestTimeoutMs: 60_000, oneThreadProcesses: 0 };
  await Bun.write(configPath, JSON.stringify({ serving }));
  agent = startProgram(["agent", ...options, "--state-dir", directory.path, "--config", configPath], directory.path);
  url = JSON.parse(await agent.untilLogged('"agent started"')).url;
});

afterEach(async () => {
  await agent.stop("SIGKILL");
  directory.remove();
});

/** Returns the agent's children that run a command. */
function childrenRunning(command: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1];
      const runs = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").includes(command);
      return Number(parent) === agent.child.pid && runs ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const embed = (text: string) =>
  fetch(`${url}/api/v1/embed`, { method: "POST", body: JSON.stringify({ inputs: [text] }) });
const readiness = async () => (await fetch(`${url}/readyz`)).status;
interface Health {
  readonly status: string;
  readonly checks: { readonly processes: string };
  readonly details: { readonly processes: string };
}
const health = async () => (await fetch(`${url}/health`)).json() as Promise<Health>;
const metric = async (process: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^thormesh_hung_processes_total\\{process="${process}"\\} (\\d+)`, "m").exec(text)?.[1]);
};

test.each(["idle", "asked"])(
  "a model process that is stopped while it is %s is replaced; not ready meanwhile; the request is answered",
  async (when) => {
    expect((await embed("before")).status).toBe(200);
    expect(await metric("model")).toBe(0);
    expect((await health()).checks.processes).toBe("healthy");
    const [pid] = childrenRunning("model-worker") as [number];
    process.kill(pid, "SIGSTOP");
    const asked = when === "asked" ? embed("meanwhile") : null;
    const readyAgain = (async () => {
      await eventually(readiness, (status) => status === 503);
      await eventually(readiness, (status) => status === 200);
    })();
    if (asked !== null) expect((await asked).status).toBe(200);
    await readyAgain;
    expect(childrenRunning("model-worker")).not.toContain(pid);
    expect((await embed("after")).status).toBe(200);
    expect(await metric("model")).toBe(1);
    const { status, checks, details } = await health();
    expect(status).toBe("degraded");
    expect(checks.processes).toBe("degraded");
    expect(details.processes).toContain("a model process was replaced");
  },
);

test("a forecasting process that is stopped is replaced, and said", async () => {
  const [pid] = (await eventually(
    async () => childrenRunning("forecast-worker"),
    (pids) => pids.length > 0,
  )) as [number];
  process.kill(pid, "SIGSTOP");
  await eventually(
    () => metric("forecast"),
    (count) => count === 1,
  );
  await eventually(
    async () => childrenRunning("forecast-worker"),
    (pids) => pids.length === 1 && pids[0] !== pid,
  );
  expect((await health()).details.processes).toContain("a forecast process was replaced");
});

test("an agent that was stopped itself, with all its processes, goes on with them", async () => {
  const pids = [...childrenRunning("model-worker"), ...childrenRunning("forecast-worker")];
  const all = [agent.child.pid, ...pids];
  for (const pid of all) process.kill(pid, "SIGSTOP");
  await Bun.sleep(12_000);
  for (const pid of all.toReversed()) process.kill(pid, "SIGCONT");
  expect((await embed("after the sleep")).status).toBe(200);
  expect([...childrenRunning("model-worker"), ...childrenRunning("forecast-worker")]).toEqual(pids);
  expect([await metric("model"), await metric("forecast")]).toEqual([0, 0]);
});
