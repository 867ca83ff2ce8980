import { type LoadCounts, LoadTally, type Outcome } from "./load-counts.ts";
import type { LoadPhase } from "./plan-load.ts";

interface RunLoadOptions {
  readonly mode: "open" | "closed";
  readonly phases: readonly LoadPhase[];
  /** Sends a request; resolves with its outcome, never rejects. */
  readonly send: (signal: AbortSignal) => Promise<Outcome>;
  /** Ends the run early. */
  readonly stop: AbortSignal;
  /** Open loop: limit of requests in flight; others wait, and the wait counts as latency. */
  readonly maxInFlight: number;
  /** Called about once a second. */
  readonly onProgress: (elapsedMs: number, counts: LoadCounts) => void;
}

export interface LoadRun extends LoadCounts {
  /** Time from the first request to the last answer. */
  readonly durationMs: number;
  /** Counts of the requests that were due in each phase. */
  readonly phases: readonly (LoadCounts & LoadPhase)[];
  /** Open loop: maximum delay between due time and sending (part of the latency); null in a closed loop. */
  readonly latestSendMs: number | null;
}

/** Waits until `untilMs` of `performance.now()`, or up to a millisecond less: timers have whole milliseconds. */
async function waitUntil(untilMs: number, stop: AbortSignal): Promise<void> {
  const waitMs = untilMs - performance.now();
  if (waitMs <= 0 || stop.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, waitMs);
  const onStop = () => resolve();
  stop.addEventListener("abort", onStop, { once: true });
  await promise;
  clearTimeout(timer);
  stop.removeEventListener("abort", onStop);
}

/**
 * Loads a server, phase by phase. Open loop: requests are sent at the level's rate whether or not earlier ones were answered, and latency counts
 * from their due time, so that a stalled server or a late sender can't hide ("coordinated omission"). Closed loop: each client sends its next
 * request when it has its answer, and latency counts from sending.
 */
export async function runLoad(options: RunLoadOptions): Promise<LoadRun> {
  const { stop } = options;
  const total = new LoadTally();
  const startedMs = performance.now();
  const timer = setInterval(() => options.onProgress(performance.now() - startedMs, total.counts()), 1_000);

  const request = async (countedFromMs: number, phase: LoadTally) => {
    const outcome = await options.send(stop);
    const latencyMs = performance.now() - countedFromMs;
    for (const tally of [total, phase]) {
      if (stop.aborted && outcome !== "ok") tally.recordUnanswered();
      else tally.record(outcome, latencyMs);
    }
  };

  const inFlight = new Set<Promise<void>>();
  let latestSendMs = 0;
  let slotFreed = Promise.withResolvers<void>();
  const openPhase = async (fromMs: number, { durationMs, level }: LoadPhase, tally: LoadTally) => {
    const count = Math.round((level * durationMs) / 1_000);
    for (let i = 0; i < count && !stop.aborted; i += 1) {
      const dueMs = fromMs + (i * 1_000) / level;
      await waitUntil(dueMs, stop);
      while (inFlight.size >= options.maxInFlight) await slotFreed.promise;
      if (stop.aborted) return;
      // A request sent slightly early counts from its sending: latency is never understated.
      const nowMs = performance.now();
      latestSendMs = Math.max(latestSendMs, nowMs - dueMs);
      const sent: Promise<void> = request(Math.min(dueMs, nowMs), tally).finally(() => {
        inFlight.delete(sent);
        slotFreed.resolve();
        slotFreed = Promise.withResolvers();
      });
      inFlight.add(sent);
    }
    await waitUntil(fromMs + durationMs, stop);
  };
  const closedPhase = async ({ durationMs, level }: LoadPhase, tally: LoadTally) => {
    const endMs = performance.now() + durationMs;
    const client = async () => {
      while (!stop.aborted && performance.now() < endMs) await request(performance.now(), tally);
    };
    await Promise.all(Array.from({ length: level }, client));
  };

  const phases: { readonly tally: LoadTally; readonly phase: LoadPhase }[] = [];
  try {
    let fromMs = startedMs;
    for (const phase of options.phases) {
      if (stop.aborted) break;
      const tally = new LoadTally();
      phases.push({ tally, phase });
      if (options.mode === "open") await openPhase(fromMs, phase, tally);
      else await closedPhase(phase, tally);
      fromMs += phase.durationMs;
    }
    await Promise.all(inFlight);
  } finally {
    clearInterval(timer);
  }
  return {
    ...total.counts(),
    durationMs: performance.now() - startedMs,
    latestSendMs: options.mode === "open" ? latestSendMs : null,
    phases: phases.map(({ tally, phase }) => ({ ...tally.counts(), ...phase })),
  };
}
