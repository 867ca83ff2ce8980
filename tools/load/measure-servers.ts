import { cpus } from "node:os";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { LoadCounts } from "./load-counts.ts";
import { createLoadReport, type LoadReport } from "./load-report.ts";
import { openLoadSource } from "./load-source.ts";
import { type LoadPhase, planLoad } from "./plan-load.ts";
import type { LoadOptions } from "./read-load-options.ts";
import { runLoad } from "./run-load.ts";
import { readMachineCpuS } from "./watch/process-tree.ts";
import { ProcessWatch } from "./watch/watch-processes.ts";

/** Limit of requests in flight: more would exhaust this machine's ports before the server. */
export const maxInFlight = 1_000;

/** Processor of this machine, for reports. */
export function machineName(): string {
  const cores = cpus();
  return `${cores.length} x ${cores[0]?.model.trim() || process.arch}`;
}

function asked(options: LoadOptions, stages: readonly LoadPhase[] | undefined): Record<string, string | number> {
  const level = options.closed ? "clients" : "rate";
  return {
    url: options.urls.map(redactUrl).join(" "),
    protocol: options.protocol,
    ...(stages === undefined ? { scenario: options.scenario } : {}),
    texts: options.texts,
    ...(options.inputs > 1 ? { inputs: options.inputs } : {}),
    ...(options.repeatShare > 0 ? { "repeat share": options.repeatShare } : {}),
    ...(options.arrivals === "constant" ? {} : { arrivals: options.arrivals }),
    ...(stages === undefined
      ? { [level]: options.level, seconds: options.durationMs / 1_000 }
      : { stages: stages.length, seconds: stages.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1_000 }),
  };
}

/**
 * Loads servers as the options say and judges them by their targets.
 * @param stages loads one after the other, each judged; undefined: the options' scenario
 * @param stopped ends the run early
 * @param onProgress called about once a second
 * @throws UsageError when a process to watch does not exist.
 */
export async function measureServers(
  options: LoadOptions,
  stages: readonly LoadPhase[] | undefined,
  apiKey: string | undefined,
  stopped: Promise<void>,
  onProgress: (elapsedMs: number, counts: LoadCounts) => void,
): Promise<LoadReport> {
  const watch = options.watchPids.length > 0 ? new ProcessWatch(options.watchPids) : undefined;
  const missing = watch?.start() ?? [];
  if (missing.length > 0) throw new UsageError(`--watch-pid: there is no process ${missing.join(", ")}`);

  const source = await openLoadSource(options, apiKey);
  const stop = new AbortController();
  void stopped.then(() => {
    stop.abort();
    source.close();
  });
  const cpuBefore = process.cpuUsage();
  const machineBefore = readMachineCpuS();
  const run = await runLoad({
    mode: options.closed ? "closed" : "open",
    arrivals: options.arrivals,
    phases: stages ?? planLoad(options.scenario, options.level, options.durationMs, options.closed),
    send: source.send,
    stop: stop.signal,
    maxInFlight,
    onProgress(elapsedMs, counts) {
      watch?.sample();
      onProgress(elapsedMs, counts);
    },
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const machineAfter = readMachineCpuS();
  const watched = watch?.finish();
  source.close();
  const about = {
    asked: asked(options, stages),
    machine: machineName(),
    staged: stages !== undefined,
    interrupted: stop.signal.aborted,
    textsPerRequest: options.inputs,
    retries: source.retries,
    clientCpuS: (user + system) / 1e6,
    machineCpuS: machineBefore === undefined || machineAfter === undefined ? undefined : machineAfter - machineBefore,
    watched,
  };
  return createLoadReport(run, about, options.targets);
}
