/** See scripts/soak. */
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { keptBrokerKey } from "#controller/broker/broker-key.ts";
import type { ClockConfig } from "#platform/clock.ts";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import { readTreePss } from "#tools/load/watch/process-tree.ts";
import { eventually, temporaryDirectory } from "../../../test/e2e/program.ts";
import { freePort } from "../../../test/fakes/free-port.ts";
import { childrenOf } from "../../faults/fault-fleet.ts";
import { printRows } from "../print-rows.ts";
import { startAgent } from "../start-agent.ts";
import { startAgents } from "./agent-processes.ts";
import { createBenchController } from "./bench-controller.ts";
import { compareStored, sqliteStore } from "./bench-store.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "50" },
    hours: { type: "string", default: "24" },
    speed: { type: "string", default: "144" },
    binary: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const agents = Number(values.agents);
const hours = Number(values.hours);
const speed = Number(values.speed);
if (!(agents >= 1 && hours > 0 && speed >= 1))
  throw new Error("--agents, --hours, --speed: expected numbers from 1, above 0 and from 1");
const fleet = "soak";
const sampleEachMs = 2 * secondMs;
/** Share of the run after which memory is to be flat, and of each stretch that is compared. */
const warmUpShare = 0.3;
const stretchShare = 0.15;
const allowed = 0.05;
/** Requests at a time to the real agent, in turns: little, as much as it can, and three times that. */
const phases = [1, 4, 24] as const;
const phaseMs = 10 * secondMs;
const say = (line: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

const clock: ClockConfig = { speed, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5) };
const runMs = (hours * hourMs) / speed;
const directory = temporaryDirectory();
const stateDir = join(directory.path, "controller");

const median = (sample: readonly number[]) => sample.toSorted((a, b) => a - b)[Math.floor(sample.length / 2)] ?? 0;

function filesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
const handlesOf = (pid: number): number => childrenOf(pid).reduce((sum, child) => sum + handlesOf(child), filesOf(pid));
const bytesIn = (path: string): number =>
  readdirSync(path).reduce((sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0);

/** Figures over time, by their names. */
const series = new Map<string, { readonly atMs: number; readonly value: number }[]>();
function note(name: string, atMs: number, value: number): void {
  const known = series.get(name);
  if (known === undefined) series.set(name, [{ atMs, value }]);
  else known.push({ atMs, value });
}

let asked = 0;
/** Asks the real agent without end, in phases; answers that it refuses under overload are as good as others. */
async function keepAsking(url: string, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  const ask = async (client: number) => {
    while (!signal.aborted) {
      const phase = Math.floor((performance.now() - startMs) / phaseMs) % phases.length;
      if (client >= (phases[phase] ?? 0)) {
        await Bun.sleep(200);
        continue;
      }
      asked += 1;
      const inputs = [`the ${asked} th line of hall ${client} reports that its belt has stopped again`];
      const response = await fetch(`${url}/api/v1/embed`, { method: "POST", body: JSON.stringify({ inputs }) });
      await response.arrayBuffer();
      if (response.status !== 200) await Bun.sleep(100);
    }
  };
  await Promise.all(Array.from({ length: Math.max(...phases) }, (_, client) => ask(client)));
}

const port = await freePort();
const controller = await createBenchController({
  directory: directory.path,
  binary: values.binary ?? null,
  bunOptions: [],
  config: {
    ...{ fleet, stateDir, clock },
    api: { host: "127.0.0.1", port: 0 },
    broker: { host: "127.0.0.1", port, shareKey: false },
    // Its records are as many after a quarter of the run as they will ever be.
    retention: { minuteDays: hours / 24 / 4, decisionDays: hours / 24 / 4 },
    ingest: { staleAfterMs: Math.max(3 * minuteMs, Math.round(15 * secondMs * speed)) },
    scaling: {
      ...{ minReplicas: 2, maxReplicas: agents + 1, warmUpMs: 0, intervalMs: 10 * minuteMs },
      maxDataAgeMs: Math.max(3 * minuteMs, Math.round(10 * secondMs * speed)),
      confirmWithinMs: Math.max(2 * minuteMs, Math.round(15 * secondMs * speed)),
    },
  },
});
const asking = new AbortController();
let isFlat = false;
try {
  await controller.start();
  const key = Buffer.from(keptBrokerKey(stateDir)).toString("base64url");
  const processes = await startAgents({
    ...{ fleet, agents, key, clock, ports: [port], processes: 1, demandQps: 100 * agents, spreadMs: 6 * secondMs },
  });
  processes.connect(50);
  const real = await startAgent(values.binary === undefined ? resolve("main.ts") : values.binary, {
    config: {
      ...{ fleet, id: "real", clock },
      broker: { url: `mqtt://127.0.0.1:${port}`, keyFile: join(stateDir, "broker.key") },
      serving: { threads: 1, cacheBytes: 4 * 1024 * 1024 },
      power: { board: "none" },
    },
    directory: { path: join(directory.path, "real"), remove: () => undefined },
  });
  say(`${agents} simulated agents and a real one, ${hours} h in ${Math.round(runMs / secondMs)} s`);
  const load = keepAsking(real.url, asking.signal).catch((error) => say(`asking ended: ${error}`));
  const startMs = performance.now();
  while (performance.now() - startMs < runMs) {
    await Bun.sleep(sampleEachMs);
    const atMs = performance.now() - startMs;
    for (const [name, pid] of [
      ["controller", controller.pid],
      ["agent", real.pid],
    ] as const) {
      const byCommand = Map.groupBy(readTreePss(pid), ({ command }) => command);
      for (const [command, each] of byCommand)
        note(`${name}: ${command} MB`, atMs, each.reduce((sum, { pssBytes }) => sum + pssBytes, 0) / 1e6);
      note(`${name}: open files`, atMs, handlesOf(pid));
    }
    note("controller: disk MB", atMs, bytesIn(stateDir) / 1e6);
    note("agent: disk MB", atMs, bytesIn(join(directory.path, "real")) / 1e6);
  }
  asking.abort();
  await load;
  processes.endMinutes();
  await eventually(
    () => processes.report(),
    ({ unconfirmed }) => unconfirmed === 0,
    10 * minuteMs,
  );
  const last = await processes.report();
  await real.stop();
  await controller.stop("SIGTERM");
  await processes.stop();
  const { unknown } = await compareStored(sqliteStore(stateDir), last);
  const rows = [...series].map(([figure, samples]) => {
    const within = (from: number, to: number) =>
      median(samples.filter(({ atMs }) => atMs >= from * runMs && atMs <= to * runMs).map(({ value }) => value));
    const early = within(warmUpShare, warmUpShare + stretchShare);
    const late = within(1 - stretchShare, 1);
    const change = early === 0 ? 0 : late / early - 1;
    return {
      figure,
      early: early.toFixed(1),
      late: late.toFixed(1),
      change: `${(100 * change).toFixed(1)} %`,
      flat: change <= allowed ? "yes" : "no",
    };
  });
  printRows(rows, values.json);
  say(
    `${last.minutes} minutes of simulated agents, all confirmed; ${asked} requests to the real one; ${unknown} minutes of the real one stored`,
  );
  isFlat = rows.every(({ flat, figure }) => flat === "yes" || figure === "agent: disk MB");
} finally {
  asking.abort();
  await controller.stop("SIGKILL");
  directory.remove();
}
process.exit(isFlat ? 0 : 1);
