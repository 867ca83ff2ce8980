import { redactUrl } from "#platform/fetch/redact-url.ts";
import { openLoadSource } from "../load-source.ts";
import type { LoadTargets } from "../load-targets.ts";
import { tokensOf } from "../load-texts.ts";
import { machineName, maxInFlight } from "../measure-servers.ts";
import type { LoadOptions } from "../read-load-options.ts";
import { type EndedRequest, runLoad } from "../run-load.ts";
import { findLimit, type LimitStep } from "./find-limit.ts";
import { createLimitReport, type LimitReport } from "./limit-report.ts";
import type { StepSample } from "./step-sample.ts";

/** Warm-up before the first step, in which a server loads its model and starts its processes; its requests don't count. */
const firstWarmUpMs = 5_000;
/** Warm-up of each step, after which its queue is as long as the rate makes it. */
const warmUpMs = 1_000;
/** Rest between the last answer of a step and the next one. */
const coolDownMs = 1_000;
/** Time from which a step may end early. */
const minDecidedMs = 2_500;

/** Latency target of a search that names none, as the controller's own. */
const defaultP95Ms = 1_000;

/** Adds a latency target where there is none: answers that take ever longer are not the only bad ones. */
function limitLatency(targets: LoadTargets): LoadTargets {
  return Object.keys(targets.latencyMs).length > 0 ? targets : { ...targets, latencyMs: { p95: defaultP95Ms } };
}

/** Words of the targets, for the report. */
function targetsToText(targets: LoadTargets): string {
  const bounds = (["errors", "failures"] as const).flatMap((name) => {
    const bound = targets[name];
    if (bound === undefined) return [];
    return [`${name}=${bound.kind === "share" ? `${100 * bound.value}%` : bound.value}`];
  });
  const latencies = Object.entries(targets.latencyMs).map(([name, value]) => `${name}=${value}ms`);
  return [...latencies, ...bounds, ...(targets.rate === undefined ? [] : [`rate=${targets.rate}`])].join(",");
}

function asked(options: LoadOptions, targets: LoadTargets): Record<string, string | number> {
  return {
    url: options.urls.map(redactUrl).join(" "),
    protocol: options.protocol,
    texts: options.texts,
    ...(options.inputs > 1 ? { inputs: options.inputs } : {}),
    ...(options.repeatShare > 0 ? { "repeat share": options.repeatShare } : {}),
    arrivals: options.arrivals,
    targets: targetsToText(targets),
  };
}

/**
 * Searches the highest rate at which servers keep the targets.
 * @param stopped ends the search early
 */
export async function measureLimit(
  options: LoadOptions,
  apiKey: string | undefined,
  stopped: Promise<void>,
  onStep: (step: LimitStep) => void,
): Promise<LimitReport> {
  const targets = limitLatency(options.targets);
  const source = await openLoadSource(options, apiKey);
  const stop = new AbortController();
  let outOfTime = false;
  const end = () => {
    stop.abort();
    source.close();
  };
  void stopped.then(end);
  const startedMs = performance.now();
  const timer = setTimeout(() => {
    outOfTime = true;
    end();
  }, options.durationMs);
  const cpuBefore = process.cpuUsage();
  const run = { mode: "open", arrivals: options.arrivals, send: source.send, maxInFlight } as const;

  const measure = async (
    rate: number,
    durationMs: number,
    decided: (sample: StepSample) => boolean,
  ): Promise<StepSample> => {
    const enough = new AbortController();
    const requests: EndedRequest[] = [];
    let measuredMs = durationMs;
    await runLoad({
      ...run,
      phases: [
        { durationMs: warmUpMs, level: rate },
        { durationMs, level: rate },
      ],
      stop: AbortSignal.any([stop.signal, enough.signal]),
      onRequest: (request) => request.phase === 1 && requests.push(request),
      onProgress(elapsedMs) {
        const soFarMs = elapsedMs - warmUpMs;
        if (enough.signal.aborted || soFarMs < minDecidedMs || soFarMs >= durationMs) return;
        if (!decided({ rate, durationMs: soFarMs, requests })) return;
        measuredMs = soFarMs;
        enough.abort();
      },
    });
    if (!stop.signal.aborted) await Bun.sleep(coolDownMs);
    return { rate, durationMs: measuredMs, requests };
  };

  try {
    const phases = [{ durationMs: firstWarmUpMs, level: Math.min(options.level, options.maxRate) }];
    await runLoad({ ...run, phases, stop: stop.signal, onProgress() {} });
    const search = await findLimit({
      targets,
      startRate: Math.min(options.level, options.maxRate),
      maxRate: options.maxRate,
      maxTimeMs: options.durationMs - (performance.now() - startedMs),
      overheadMs: warmUpMs + coolDownMs,
      nowMs: () => performance.now(),
      measure,
      stopped: () => stop.signal.aborted,
      onStep,
    });
    const { user, system } = process.cpuUsage(cpuBefore);
    const lengths = tokensOf[options.texts];
    const about = {
      asked: asked(options, targets),
      machine: machineName(),
      maxRate: options.maxRate,
      textsPerRequest: options.inputs,
      tokensPerText: lengths.reduce((sum, tokens) => sum + tokens, 0) / lengths.length,
      durationMs: performance.now() - startedMs,
      clientCpuS: (user + system) / 1e6,
      retries: source.retries,
    };
    const timedOut = search.end.rule === "stopped" && outOfTime;
    return createLimitReport(timedOut ? { ...search, end: { kind: "end", rule: "time" } } : search, about, targets);
  } finally {
    clearTimeout(timer);
    source.close();
  }
}
