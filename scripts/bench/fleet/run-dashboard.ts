/** See scripts/bench/dashboard. */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { keptBrokerKey } from "#controller/broker/broker-key.ts";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import { eventually, temporaryDirectory } from "../../../test/e2e/program.ts";
import { eventReader } from "../../../test/fakes/event-reader.ts";
import { freePort } from "../../../test/fakes/mosquitto.ts";
import { median } from "../median.ts";
import { printRows } from "../print-rows.ts";
import { cpuSeconds } from "../start-agent.ts";
import { type AgentProcesses, startAgents } from "./agent-processes.ts";
import { createBenchController } from "./bench-controller.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string" },
    pages: { type: "string", default: "50" },
    /** Turns with pages, and as many without. */
    turns: { type: "string" },
    binary: { type: "string" },
    profile: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const agents = Number(values.agents ?? (values.quick ? 1_000 : 10_000));
const pages = Number(values.pages);
const turns = Number(values.turns ?? (values.quick ? 1 : 3));
if (!(agents >= 1 && agents <= 40_000)) throw new Error(`--agents: expected 1 to 40,000, got "${values.agents}"`);
if (!(pages >= 1 && pages <= 64)) throw new Error(`--pages: expected 1 to 64, got "${values.pages}"`);
const turnMs = minuteMs;
/** Part of a minute at which a turn begins: the minute's records have come. */
const turnAtMs = 30 * secondMs;
const bars = { coreShare: 0.05, snapshotMs: 1_000, listMs: 100 };
const say = (line: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

interface Reader {
  readonly bytes: () => number;
  stop(): void;
}

/** Requests of an open Fleet page besides its stream, with the time between two. */
const polled: readonly (readonly [path: () => string, everyMs: number])[] = [
  [() => "/api/v1/agents?limit=100", 5 * secondMs],
  [() => "/api/v1/fleet/history?hours=3", 10 * secondMs],
  [() => `/api/v1/decisions?changes=true&sinceMs=${Date.now() - 3 * hourMs}&limit=40`, 10 * secondMs],
];

/** Does what an open Fleet page does: follows the stream, and asks for the table and the charts again and again. */
async function openPage(api: string): Promise<Reader> {
  const leaving = new AbortController();
  const { signal } = leaving;
  const answer = await fetch(`${api}/api/v1/fleet/stream`, { signal });
  if (answer.status !== 200) throw new Error(`/api/v1/fleet/stream answered ${answer.status}`);
  let bytes = 0;
  const read = async () => {
    for await (const piece of answer.body as ReadableStream<Uint8Array>) bytes += piece.byteLength;
  };
  const poll = async (path: () => string, everyMs: number) => {
    await Bun.sleep(everyMs * Math.random());
    while (!signal.aborted) {
      await askMs(api, path());
      await Bun.sleep(everyMs);
    }
  };
  const failed = (error: unknown) => {
    if (!signal.aborted) throw error;
  };
  read().catch(failed);
  for (const [path, everyMs] of polled) poll(path, everyMs).catch(failed);
  return { bytes: () => bytes, stop: () => leaving.abort() };
}

/** Time until all of the fleet has come, ms. */
async function firstSnapshotMs(api: string): Promise<number> {
  const startMs = performance.now();
  const reader = eventReader(await fetch(`${api}/api/v1/fleet/stream`));
  for (;;) {
    const event = await reader.until("change");
    if (event === null) throw new Error("the stream ended");
    if (event.id === null) continue;
    const tookMs = performance.now() - startMs;
    await reader.cancel();
    return tookMs;
  }
}

async function askMs(api: string, path: string): Promise<number> {
  const startMs = performance.now();
  const answer = await fetch(api + path);
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
  return performance.now() - startMs;
}

const times = async (count: number, measure: () => Promise<number>) => {
  const all: number[] = [];
  for (let each = 0; each < count; each += 1) all.push(await measure());
  return Math.round(10 * median(all)) / 10;
};

const untilTurn = () => Bun.sleep((minuteMs + turnAtMs - (Date.now() % minuteMs)) % minuteMs);

const directory = temporaryDirectory();
const stateDir = `${directory.path}/state`;
const port = await freePort();
const controller = await createBenchController({
  directory: directory.path,
  binary: values.binary ?? null,
  bunOptions: values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`],
  config: {
    ...{ fleet: "bench", stateDir, logLevel: "info" },
    api: { host: "127.0.0.1", port: 0 },
    broker: { host: "127.0.0.1", port, shareKey: false, limits: { maxConnections: 2 * agents + 100 } },
    ingest: { maxAgents: 2 * agents },
    scaling: { minReplicas: Math.ceil(agents / 10), maxReplicas: agents, warmUpMs: 0 },
  },
});
let processes: AgentProcesses | undefined;
try {
  await controller.start();
  processes = await startAgents({
    ...{ fleet: "bench", agents, processes: 2, ports: [port], spreadMs: 6_000 },
    key: Buffer.from(keptBrokerKey(stateDir)).toString("base64url"),
    demandQps: 0.4 * agents * 350,
  });
  processes.connect(400);
  const report = () => (processes as AgentProcesses).report();
  await eventually(report, ({ connected }) => connected === agents, 15 * minuteMs);
  await eventually(report, ({ minutes, unconfirmed }) => minutes >= agents && unconfirmed === 0, 10 * minuteMs);
  const { api, pid } = controller;
  say(`${agents} agents are there; turns of a minute without and with ${pages} pages`);
  const shares: Record<"without" | "with", number[]> = { without: [], with: [] };
  let bytesPerS = 0;
  for (let turn = 0; turn < turns; turn += 1)
    for (const kind of ["without", "with"] as const) {
      const readers = kind === "with" ? await Promise.all(Array.from({ length: pages }, () => openPage(api))) : [];
      // The first state of each stream is not what staying costs.
      await untilTurn();
      const read = () => readers.reduce((sum, { bytes }) => sum + bytes(), 0);
      const [cpuBefore, readBefore, startMs] = [cpuSeconds(pid), read(), performance.now()];
      await Bun.sleep(turnMs);
      const tookS = (performance.now() - startMs) / secondMs;
      shares[kind].push((cpuSeconds(pid) - cpuBefore) / tookS);
      if (kind === "with") bytesPerS = (read() - readBefore) / pages / tookS;
      for (const reader of readers) reader.stop();
      say(`${kind} pages: ${shares[kind].at(-1)?.toFixed(3)} of a core`);
    }
  const [without, withPages] = [median(shares.without), median(shares.with)];
  const filter = encodeURIComponent("state:serving tag~rack-7");
  const row = {
    ...{ agents, pages },
    "core share without": without.toFixed(3),
    "core share with": withPages.toFixed(3),
    "cost of the pages": (withPages - without).toFixed(3),
    "bytes/s of a stream": Math.round(bytesPerS),
    "first snapshot ms": await times(9, () => firstSnapshotMs(api)),
    "overview ms": await times(9, () => askMs(api, "/api/v1/fleet")),
    "filtered page ms": await times(9, () => askMs(api, `/api/v1/agents?limit=100&sort=-qps&filter=${filter}`)),
    "values ms": await times(9, () => askMs(api, "/api/v1/fleet/values?field=tag&part=rack")),
  };
  say(`on ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`);
  printRows(values.json ? [row] : Object.entries(row).map(([figure, value]) => ({ figure, value })), values.json);
  const missed = [
    ["cost of the pages", withPages - without <= bars.coreShare],
    ["first snapshot", row["first snapshot ms"] <= bars.snapshotMs],
    ["filtered page", row["filtered page ms"] <= bars.listMs],
  ].flatMap(([name, holds]) => (holds === true ? [] : [String(name)]));
  if (missed.length > 0) {
    say(`bars missed: ${missed.join(", ")}`);
    process.exitCode = 1;
  }
} finally {
  await processes?.stop();
  await controller.stop(values.profile === undefined ? "SIGKILL" : "SIGTERM");
  directory.remove();
}
