import { cpus } from "node:os";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { createHttpServerUnderLoad } from "./http-server-under-load.ts";
import type { LoadCounts } from "./load-counts.ts";
import { createLoadReport, type LoadReport } from "./load-report.ts";
import type { LoadServer } from "./load-server.ts";
import { createTextSource } from "./load-texts.ts";
import { planLoad } from "./plan-load.ts";
import { readMachineCpuS } from "./watch/process-tree.ts";
import type { LoadOptions } from "./read-load-options.ts";
import { createRotation } from "./rotate-servers.ts";
import { runLoad } from "./run-load.ts";
import { ProcessWatch } from "./watch/watch-processes.ts";

/** Limit of requests in flight: more would exhaust this machine's ports before the server. */
const maxInFlight = 1_000;
/** Pause of a request between two rounds through all servers. */
const retryWaitMs = 50;

async function openServers(options: LoadOptions, apiKey: string | undefined): Promise<LoadServer[]> {
  const { urls, protocol, model, timeoutMs } = options;
  if (protocol !== "grpc") {
    return urls.map((url) => createHttpServerUnderLoad({ url, protocol, model, apiKey, timeoutMs }));
  }
  // The library takes long to load: only when needed.
  const { createGrpcServerUnderLoad } = await import("./grpc-server-under-load.ts");
  return urls.map((url) => createGrpcServerUnderLoad({ url, model, apiKey, timeoutMs }));
}

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

/**
 * Loads servers as the options say and judges them by their targets.
 * @param stopped ends the run early
 * @param onProgress called about once a second
 * @throws UsageError when a process to watch does not exist.
 */
export async function measureServers(
  options: LoadOptions,
  apiKey: string | undefined,
  stopped: Promise<void>,
  onProgress: (elapsedMs: number, counts: LoadCounts) => void,
): Promise<LoadReport> {
  const watch = options.watchPids.length > 0 ? new ProcessWatch(options.watchPids) : undefined;
  const missing = watch?.start() ?? [];
  if (missing.length > 0) throw new UsageError(`--watch-pid: there is no process ${missing.join(", ")}`);

  const servers = await openServers(options, apiKey);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const nextText = createTextSource({ length: options.texts, seed, repeatShare: options.repeatShare });
  const retries: Record<string, number> = {};
  const stop = new AbortController();
  void stopped.then(() => {
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
      onProgress(elapsedMs, counts);
    },
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const machineAfter = readMachineCpuS();
  const watched = watch?.finish();
  for (const server of servers) server.close();
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
  return createLoadReport(run, about, options.targets);
}
