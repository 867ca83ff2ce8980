import { cpus } from "node:os";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Command } from "#platform/terminal/command.ts";
import type { LoadCounts } from "#tools/load/load-counts.ts";
import { createLoadReport, formatLoadReport } from "#tools/load/load-report.ts";
import { createTextSource } from "#tools/load/load-texts.ts";
import { openServers } from "#tools/load/open-servers.ts";
import { planLoad } from "#tools/load/plan-load.ts";
import { readMachineCpuS } from "#tools/load/process-tree.ts";
import { type LoadOptions, loadOptions, readLoadOptions } from "#tools/load/read-load-options.ts";
import { createRotation } from "#tools/load/rotate-servers.ts";
import { runLoad } from "#tools/load/run-load.ts";
import { ProcessWatch } from "#tools/load/watch-processes.ts";
import { apiKeysFromEnvironment } from "./run/api-keys-from-environment.ts";
import { untilStopped } from "./run/until-stopped.ts";

/** More would use up the machine's ports before the server's strength. */
const maxInFlight = 1_000;
/** Between two rounds of a request through all servers. */
const retryWaitMs = 50;

function machineName(): string {
  const cores = cpus();
  return `${cores.length} x ${cores[0]?.model.trim() || process.arch}`;
}

function asked(options: LoadOptions): Record<string, string | number> {
  return {
    url: options.urls.map(redactUrl).join(" "),
    protocol: options.protocol,
    scenario: options.scenario,
    texts: options.texts,
    ...(options.inputs > 1 ? { inputs: options.inputs } : {}),
    ...(options.repeatShare > 0 ? { "repeat share": options.repeatShare } : {}),
    [options.closed ? "clients" : "rate"]: options.level,
    seconds: options.durationMs / 1_000,
  };
}

function showProgress(durationMs: number, elapsedMs: number, counts: LoadCounts): void {
  const { answered, rejected, failed, latencyMs } = counts;
  const time = `${Math.round(elapsedMs / 1_000)}/${Math.round(durationMs / 1_000)} s`;
  const p95 = latencyMs.p95?.toFixed(1) ?? "-";
  process.stderr.write(`\r\x1b[K${time}  ${answered} answered, ${rejected} rejected, ${failed} failed, p95 ${p95} ms`);
}

export const loadCommand: Command = {
  summary: "put an embedding server under load and report its latency",
  usage: "--url URL [--rate RPS | --clients N] [--duration S] [--target p95=30ms,errors=0]",
  optionsOnly: true,
  options: loadOptions,
  async run(values) {
    const options = readLoadOptions(values);
    const watch = options.watchPids.length > 0 ? new ProcessWatch(options.watchPids) : undefined;
    const missing = watch?.start() ?? [];
    if (missing.length > 0) throw new UsageError(`--watch-pid: there is no process ${missing.join(", ")}`);

    const apiKey = apiKeysFromEnvironment(process.env)?.[0];
    const servers = await openServers(options, apiKey);
    const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
    const nextText = createTextSource({ length: options.texts, seed, repeatShare: options.repeatShare });
    const retries: Record<string, number> = {};
    const stop = new AbortController();
    void untilStopped().then(() => {
      stop.abort();
      for (const server of servers) server.close();
    });
    const cpuBefore = process.cpuUsage();
    const machineBefore = readMachineCpuS();
    const run = await runLoad({
      mode: options.closed ? "closed" : "open",
      phases: planLoad(options.scenario, options.level, options.durationMs, options.closed),
      send: createRotation({
        servers,
        nextTexts: () => Array.from({ length: options.inputs }, nextText),
        retries: options.retries,
        retryWaitMs,
        onRetry(cause) {
          retries[cause] = (retries[cause] ?? 0) + 1;
        },
      }),
      stop: stop.signal,
      maxInFlight,
      onProgress(elapsedMs, counts) {
        watch?.sample();
        if (process.stderr.isTTY) showProgress(options.durationMs, elapsedMs, counts);
      },
    });
    const { user, system } = process.cpuUsage(cpuBefore);
    const machineAfter = readMachineCpuS();
    const watched = watch?.finish();
    for (const server of servers) server.close();
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const about = {
      asked: asked(options),
      machine: machineName(),
      interrupted: stop.signal.aborted,
      textsPerRequest: options.inputs,
      retries,
      clientCpuS: (user + system) / 1e6,
      machineCpuS: machineBefore === undefined || machineAfter === undefined ? undefined : machineAfter - machineBefore,
      watched,
    };
    const report = createLoadReport(run, about, options.targets);
    console.log(options.json ? JSON.stringify(report) : formatLoadReport(report));
    return report.missed.length === 0 ? 0 : 1;
  },
};
