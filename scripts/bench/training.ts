/** See scripts/bench/training. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { minuteMs } from "#platform/time.ts";
import { eventually, temporaryDirectory } from "../../test/e2e/program.ts";
import { writeRecordedTraffic } from "../../test/e2e/recorded-traffic.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";
import { cpuSeconds, hostBinary, root, startAgent } from "./start-agent.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    binary: { type: "string", default: hostBinary },
    units: { type: "string", default: "full" },
    epochs: { type: "string", default: "40" },
    rounds: { type: "string", default: "8" },
    json: { type: "boolean", default: false },
  },
});
const [what] = positionals;
if (positionals.length !== 1 || (what !== "time" && what !== "latency")) {
  console.error(
    "usage: scripts/bench/training time|latency [--units full|small|tiny] [--epochs N] [--rounds N] [--json]",
  );
  process.exit(2);
}
const binary = resolve(values.binary);
const rounds = Number(values.rounds);
const minutes = 30 * 24 * 60;
const stretchS = 8;
const rate = 50;

const trace = parseTrace(
  await Bun.file(join(root, "models", "traffic-lstm", "nasa_http_jul95_1min.csv")).text(),
  "nasa_http_jul95_1min.csv",
);
const weekMinutes = 7 * 24 * 60;
/** The trace continues with its last week. */
const countAt = (minute: number) => {
  const beyond = minute - trace.counts.length;
  const index = beyond < 0 ? minute : trace.counts.length - weekMinutes + (beyond % weekMinutes);
  return trace.counts[index] ?? 0;
};

/** CPU seconds so far and the most memory so far, of a running process. */
function usageOf(pid: number): { readonly cpuS: number; readonly peakBytes: number } | null {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    if (peak === undefined) return null;
    return { cpuS: cpuSeconds(pid), peakBytes: Number(peak) * 1_024 };
  } catch {
    return null; // it has ended
  }
}

async function measureTime(directory: string): Promise<void> {
  const lines = Array.from({ length: minutes }, (_, minute) => {
    return `${new Date(trace.startMs + minute * minuteMs).toISOString()},${countAt(minute)}`;
  });
  const path = join(directory, "trace.csv");
  await Bun.write(path, `timestamp,value\n${lines.join("\n")}\n`);
  const out = join(directory, "model");
  const options = ["--units", values.units, "--epochs", values.epochs, "--backend", "wasm", "--json"];
  const startedMs = performance.now();
  const child = Bun.spawn([binary, "forecast", "train", "--trace", path, "--out", out, ...options], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let usage = { cpuS: 0, peakBytes: 0 };
  const timer = setInterval(() => {
    usage = usageOf(child.pid) ?? usage;
  }, 200);
  const card = JSON.parse(await new Response(child.stdout).text());
  const exitCode = await child.exited;
  clearInterval(timer);
  if (exitCode !== 0) throw new Error(`the training ended with ${exitCode}`);
  const epochs = card.training.epochs.length;
  const row = {
    units: values.units,
    epochs,
    "wall s": ((performance.now() - startedMs) / 1_000).toFixed(0),
    "cpu s": usage.cpuS.toFixed(0),
    "cpu s an epoch": (usage.cpuS / epochs).toFixed(1),
    "peak MB": (usage.peakBytes / 1e6).toFixed(0),
    ended: card.training.ended,
  };
  printRows([row], values.json);
}

async function measureLatency(directory: string): Promise<void> {
  const untilMs = Math.floor(Date.now() / minuteMs) * minuteMs;
  writeRecordedTraffic(directory, minutes, untilMs, (atMs) => countAt(minutes - (untilMs - atMs) / minuteMs));
  const config = {
    id: "bench",
    broker: { url: "mqtt://127.0.0.1:1" },
    serving: { grpc: { enabled: false } },
    forecast: { training: { window: "00:00-00:00", minDays: 1, maxMinutes: 600, units: values.units } },
    power: { board: "none" },
  };
  const agent = await startAgent(binary, { config, directory: { path: directory, remove() {} } });
  const { url } = agent;
  let trainer: number | undefined;
  try {
    const status = async () => (await (await fetch(`${url}/api/v1/forecast/training`)).json()) as TrainingStatus;
    const begun = await eventually(status, ({ progress }) => (progress?.batch ?? 0) > 1, 120_000);
    const pid = begun.progress?.pid as number;
    trainer = pid;
    const load = async () => {
      const options = ["--rate", String(rate), "--duration", String(stretchS), "--texts", "mixed", "--json"];
      const child = Bun.spawn([binary, "load", "--url", url, ...options], { stdout: "pipe", stderr: "ignore" });
      const report = JSON.parse(await new Response(child.stdout).text());
      return {
        p50: report.latencyMs.p50 as number,
        p95: report.latencyMs.p95 as number,
        errors: report.errorRate as number,
      };
    };
    await load(); // warms up
    const none: readonly number[] = [];
    const p50s = { without: [...none], with: [...none] };
    const p95s = { without: [...none], with: [...none] };
    let trainerCpuS = 0;
    let errors = 0;
    for (let round = 0; round < rounds; round += 1) {
      // Two of one kind meet, so that a machine that becomes slower or faster meanwhile treats both alike.
      for (const kind of round % 2 === 0 ? (["without", "with"] as const) : (["with", "without"] as const)) {
        process.kill(pid, kind === "with" ? "SIGCONT" : "SIGSTOP");
        const before = usageOf(pid)?.cpuS ?? 0;
        const measured = await load();
        if (kind === "with") trainerCpuS += (usageOf(pid)?.cpuS ?? 0) - before;
        p95s[kind].push(measured.p95);
        p50s[kind].push(measured.p50);
        errors += measured.errors;
      }
    }
    const row = (kind: "without" | "with") => ({
      training: kind,
      "p50 ms": median(p50s[kind]).toFixed(1),
      "p95 ms": median(p95s[kind]).toFixed(1),
      "p95 of each stretch": p95s[kind].map((value) => value.toFixed(1)).join(" "),
      "trainer's cores": kind === "with" ? (trainerCpuS / (rounds * stretchS)).toFixed(2) : "0",
      ratio: kind === "with" ? (median(p95s.with) / median(p95s.without)).toFixed(2) : "",
      errors: kind === "with" ? errors : "",
    });
    printRows([row("without"), row("with")], values.json);
  } finally {
    if (trainer !== undefined && usageOf(trainer) !== null) process.kill(trainer, "SIGCONT");
    await agent.stop();
  }
}

const directory = temporaryDirectory();
try {
  await (what === "time" ? measureTime(directory.path) : measureLatency(directory.path));
} finally {
  directory.remove();
}
