/** See scripts/bench/fleet-load. */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { keptBrokerKey } from "#controller/broker/broker-key.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { eventually, temporaryDirectory } from "../../../test/e2e/program.ts";
import { freePort } from "../../../test/fakes/free-port.ts";
import { printRows } from "../print-rows.ts";
import { cpuSeconds } from "../start-agent.ts";
import { type AgentProcesses, type FleetReport, startAgents } from "./agent-processes.ts";
import { type BenchController, createBenchController } from "./bench-controller.ts";
import { compareStored, postgresStore, type StoreKind, sqliteStore, storeKinds } from "./bench-store.ts";
import {
  type BenchBroker,
  type BrokerKind,
  brokerKinds,
  startCertifiedMosquitto,
  startMosquitto,
  startNatsCluster,
} from "./brokers.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string" },
    /** Seconds that are measured, after all are connected and have sent one minute. */
    duration: { type: "string" },
    broker: { type: "string" },
    store: { type: "string", default: "sqlite" },
    binary: { type: "string" },
    processes: { type: "string" },
    profile: { type: "string" },
    "spread-ms": { type: "string", default: "6000" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const agents = Number(values.agents ?? (values.quick ? 1_000 : 10_000));
const durationS = Number(values.duration ?? (values.quick ? 130 : 300));
if (!(agents >= 1 && agents <= 40_000)) throw new Error(`--agents: expected 1 to 40,000, got "${values.agents}"`);
if (!(durationS >= 10)) throw new Error(`--duration: expected seconds from 10, got "${values.duration}"`);
const kinds = (values.broker?.split(",") ??
  (values.quick ? ["embedded"] : ["embedded", "mosquitto"])) as readonly BrokerKind[];
for (const kind of kinds)
  if (!brokerKinds.includes(kind))
    throw new Error(`--broker: expected some of ${brokerKinds.join(",")}, got "${kind}"`);
const storeKind = values.store as StoreKind;
if (!storeKinds.includes(storeKind))
  throw new Error(`--store: expected ${storeKinds.join(" or ")}, got "${storeKind}"`);
const fleet = "bench";
const capacityQps = 350;
/** Connections that the fleet opens a second at the start; a storm has no such pace. */
const connectPerS = 400;
const apiEachMs = 2 * secondMs;
/** Time for which the broker is away before a storm. */
const awayMs = 5 * secondMs;
const bars = { coreShare: 0.6, storedP99Ms: 2_000, rssMb: 1_500, listP95Ms: 50, stormS: 120 };

const quantile = (sample: readonly number[], share: number) =>
  sample.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(sample.length * share) - 1)] ?? Number.NaN;
const rssMbOf = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
const say = (line: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

/** Rounds of deciding so far, those asked for by trouble apart. */
async function decisionRounds(api: string) {
  const text = await (await fetch(`${api}/metrics`)).text();
  const of = (name: string, labels: string) =>
    Number(new RegExp(`^thormesh_decision_seconds_${name}\\{${labels}\\} (\\S+)`, "m").exec(text)?.[1] ?? 0);
  const upTo1S = of("bucket", 'le="1",urgent="false"');
  const scheduled = of("count", 'urgent="false"');
  return { sumS: of("sum", 'urgent="false"'), scheduled, slow: scheduled - upTo1S };
}

/** Times of asking for a hundred agents, until `signal` aborts, ms. */
async function askForAgents(api: string, signal: AbortSignal): Promise<number[]> {
  const tookMs: number[] = [];
  while (!signal.aborted) {
    const startMs = performance.now();
    const response = await fetch(`${api}/api/v1/agents?limit=100`);
    if (response.status !== 200) throw new Error(`/api/v1/agents answered ${response.status}`);
    await response.arrayBuffer();
    tookMs.push(performance.now() - startMs);
    await Bun.sleep(apiEachMs);
  }
  return tookMs;
}

async function untilAll(processes: AgentProcesses, is: (report: FleetReport) => boolean, withinMs: number) {
  const startMs = performance.now();
  await eventually(() => processes.report(), is, withinMs);
  return (performance.now() - startMs) / 1000;
}

/** Ends the broker and lets all agents come back at once. */
async function storm(processes: AgentProcesses, broker: BenchBroker | null, controller: BenchController) {
  if (broker === null) await controller.stop("SIGKILL");
  else await broker.kill();
  await Bun.sleep(awayMs);
  if (broker === null) await controller.start();
  else await broker.start();
  return untilAll(processes, ({ connected }) => connected === agents, 10 * minuteMs);
}

async function startBroker(kind: BrokerKind, stateDir: string): Promise<BenchBroker | null> {
  if (kind === "mosquitto") return startMosquitto();
  if (kind === "mosquitto-tls") return startCertifiedMosquitto(fleet, stateDir);
  return kind === "nats" ? startNatsCluster() : null;
}

async function measure(kind: BrokerKind, directory: string): Promise<Record<string, string | number> | null> {
  const stateDir = join(directory, kind);
  const broker = await startBroker(kind, stateDir);
  if (kind === "nats" && broker === null) {
    say("skipped: nats-server is not installed (Debian's package of that name)");
    return null;
  }
  const store = storeKind === "postgres" ? await postgresStore() : sqliteStore(stateDir);
  const beside = () => [...(broker?.pids() ?? []), ...store.pids()];
  // Ended from outside, it must leave no broker and no server behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      for (const pid of beside()) process.kill(pid, "SIGKILL");
      process.exit(130);
    });
  const brokerPort = broker === null ? await freePort() : 0;
  const controller = await createBenchController({
    directory,
    binary: values.binary ?? null,
    bunOptions:
      values.profile === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`, `--cpu-prof-name=${kind}.cpuprofile`],
    config: {
      ...{ fleet, stateDir, logLevel: "info", ...store.config },
      api: { host: "127.0.0.1", port: 0 },
      broker:
        broker === null
          ? { host: "127.0.0.1", port: brokerPort, shareKey: false, limits: { maxConnections: 2 * agents + 100 } }
          : { url: `${kind === "mosquitto-tls" ? "mqtts" : "mqtt"}://127.0.0.1:${broker.ports[0]}` },
      ingest: { maxAgents: 2 * agents },
      scaling: { minReplicas: Math.ceil(agents / 10), maxReplicas: agents, warmUpMs: 0 },
    },
  });
  let processes: AgentProcesses | undefined;
  const asking = new AbortController();
  try {
    await controller.start();
    const key = broker === null ? Buffer.from(keptBrokerKey(stateDir)).toString("base64url") : null;
    processes = await startAgents({
      ...{ fleet, agents, key, ports: broker?.ports ?? [brokerPort] },
      authorityDir: kind === "mosquitto-tls" ? stateDir : null,
      processes: Number(values.processes ?? (kind === "nats" ? 3 : 2)),
      demandQps: 0.4 * agents * capacityQps,
      spreadMs: Number(values["spread-ms"]),
    });
    say(`${kind}: ${agents} agents connect`);
    processes.connect(connectPerS);
    const connectS = await untilAll(processes, ({ connected }) => connected === agents, 15 * minuteMs);
    say(`${kind}: all connected after ${connectS.toFixed(1)} s; the first minutes come`);
    await untilAll(processes, ({ minutes, unconfirmed }) => minutes >= agents && unconfirmed === 0, 10 * minuteMs);
    const before = await processes.report();
    const roundsBefore = await decisionRounds(controller.api);
    const cpuBefore = cpuSeconds(controller.pid);
    const brokerCpuBefore = (broker?.pids() ?? []).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const startMs = performance.now();
    const asked = askForAgents(controller.api, asking.signal);
    let rssMb = 0;
    while (performance.now() - startMs < durationS * secondMs) {
      await Bun.sleep(secondMs);
      rssMb = Math.max(rssMb, rssMbOf(controller.pid));
    }
    asking.abort();
    const tookS = (performance.now() - startMs) / 1000;
    const cpuS = cpuSeconds(controller.pid) - cpuBefore;
    const brokerCpuS = (broker?.pids() ?? []).reduce((sum, pid) => sum + cpuSeconds(pid), 0) - brokerCpuBefore;
    const rounds = await decisionRounds(controller.api);
    const after = await processes.report();
    const expectedRounds = Math.floor(tookS / 60);
    const listMs = await asked;
    say(`${kind}: measured; the broker ends and all come back at once`);
    // A process that is killed leaves no profile.
    const stormS = values.profile === undefined ? await storm(processes, broker, controller) : Number.NaN;
    processes.endMinutes();
    const drainS = await untilAll(processes, ({ unconfirmed }) => unconfirmed === 0, 15 * minuteMs);
    const stormRssMb = rssMbOf(controller.pid);
    const last = await processes.report();
    await controller.stop("SIGTERM");
    const stored = await compareStored(store, last);
    const bytes = await store.minuteBytes();
    return {
      broker: kind,
      store: storeKind,
      agents,
      "minutes/s": ((after.minutes - before.minutes) / tookS).toFixed(1),
      "stored p50 ms": Math.round(quantile(after.storedMs, 0.5)),
      "stored p99 ms": Math.round(quantile(after.storedMs, 0.99)),
      "core share": (cpuS / tookS).toFixed(3),
      "broker's": broker === null ? "inside" : (brokerCpuS / tookS).toFixed(3),
      "generator's": ((after.cpuS - before.cpuS) / tookS).toFixed(3),
      "RSS MB": Math.round(rssMb),
      "after storm": Math.round(stormRssMb),
      "decision ms": Math.round(
        (1000 * (rounds.sumS - roundsBefore.sumS)) / (rounds.scheduled - roundsBefore.scheduled),
      ),
      "over 1 s": rounds.slow - roundsBefore.slow,
      "rounds missed": Math.max(0, expectedRounds - (rounds.scheduled - roundsBefore.scheduled)),
      "list p95 ms": Math.round(10 * quantile(listMs, 0.95)) / 10,
      "storm s": Math.round(10 * stormS) / 10,
      "drained s": Math.round(10 * drainS) / 10,
      "minutes lost": stored.lost,
      unknown: stored.unknown,
      stored: stored.rows,
      "bytes a minute": Math.round(bytes / stored.rows),
    };
  } finally {
    asking.abort();
    await processes?.stop();
    await controller.stop("SIGKILL");
    await Bun.write(join(values.profile ?? directory, `${kind}.log`), controller.log());
    await broker?.dispose();
    await store.dispose();
  }
}

const missedBars = (row: Record<string, string | number>): string[] =>
  [
    ["core share", Number(row["core share"]) <= bars.coreShare],
    ["stored p99", Number(row["stored p99 ms"]) <= bars.storedP99Ms],
    ["RSS", Math.max(Number(row["RSS MB"]), Number(row["after storm"])) <= bars.rssMb],
    ["rounds missed", row["rounds missed"] === 0],
    ["list p95", Number(row["list p95 ms"]) <= bars.listP95Ms],
    ["storm", Number(row["storm s"]) <= bars.stormS],
    ["minutes lost", row["minutes lost"] === 0 && row["unknown"] === 0],
  ].flatMap(([name, holds]) => (holds === true ? [] : [String(name)]));

const directory = temporaryDirectory();
const rows: Record<string, string | number>[] = [];
try {
  for (const kind of kinds) {
    const row = await measure(kind, directory.path);
    if (row !== null) rows.push(row);
  }
} finally {
  directory.remove();
}
say(`on ${cpus().length} × ${cpus()[0]?.model}`);
if (values.json) printRows(rows, true);
else
  for (const row of rows)
    printRows(
      Object.entries(row).map(([figure, value]) => ({ figure, value })),
      false,
    );
for (const row of rows) {
  const missed = missedBars(row);
  if (missed.length === 0) continue;
  say(`${row["broker"]}: bars missed: ${missed.join(", ")}`);
  process.exitCode = 1;
}
