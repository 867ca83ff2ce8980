import { type LoadCounts, LoadTally, type Outcome } from "./load-counts.ts";
import type { LoadPhase } from "./plan-load.ts";

export interface RunLoadOptions {
  readonly mode: "open" | "closed";
  readonly phases: readonly LoadPhase[];
  /** Sends one request; resolves with how it ended, never rejects. */
  readonly send: (signal: AbortSignal) => Promise<Outcome>;
  /** Ends the run early. */
  readonly stop: AbortSignal;
  /** Open loop: requests under way at once; what is due beyond that waits, and its waiting counts as latency. */
  readonly maxInFlight: number;
  /** Called about once a second. */
  readonly onProgress: (elapsedMs: number, counts: LoadCounts) => void;
}

export interface LoadRun extends LoadCounts {
  /** From the first request to the last answer. */
  readonly durationMs: number;
}

async function pause(durationMs: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted || durationMs <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const onStop = () => resolve();
  stop.addEventListener("abort", onStop, { once: true });
  await promise;
  clearTimeout(timer);
  stop.removeEventListener("abort", onStop);
}

/**
 * Puts a server under load, phase after phase. Open loop: requests leave at the level's rate whether or not earlier ones were
 * answered, and latency counts from when a request was due, so that a stalled server or a late sender can't hide
 * ("coordinated omission"). Closed loop: so many clients, each sending when it has its answer; latency counts from the sending.
 * Nothing is tried again.
 */
export async function runLoad(options: RunLoadOptions): Promise<LoadRun> {
  const { stop } = options;
  const tally = new LoadTally();
  const startedMs = performance.now();
  const inFlight = new Set<Promise<void>>();
  const timer = setInterval(() => options.onProgress(performance.now() - startedMs, tally.counts()), 1_000);

  const request = async (countedFromMs: number) => {
    const outcome = await options.send(stop);
    if (stop.aborted && outcome !== "ok") tally.recordUnanswered();
    else tally.record(outcome, performance.now() - countedFromMs);
  };
  const openPhase = async (fromMs: number, { durationMs, level }: LoadPhase) => {
    const count = Math.round((level * durationMs) / 1_000);
    for (let i = 0; i < count && !stop.aborted; i += 1) {
      const dueMs = fromMs + (i * 1_000) / level;
      await pause(dueMs - performance.now(), stop);
      while (inFlight.size >= options.maxInFlight) await Promise.race(inFlight);
      if (stop.aborted) return;
      const sent: Promise<void> = request(dueMs).finally(() => inFlight.delete(sent));
      inFlight.add(sent);
    }
    await pause(fromMs + durationMs - performance.now(), stop);
  };
  const closedPhase = async (fromMs: number, { durationMs, level }: LoadPhase) => {
    const client = async () => {
      while (!stop.aborted && performance.now() < fromMs + durationMs) await request(performance.now());
    };
    await Promise.all(Array.from({ length: level }, client));
  };

  try {
    let fromMs = startedMs;
    for (const phase of options.phases) {
      if (options.mode === "open") await openPhase(fromMs, phase);
      else await closedPhase(performance.now(), phase);
      fromMs += phase.durationMs;
    }
    await Promise.all(inFlight);
  } finally {
    clearInterval(timer);
  }
  return { ...tally.counts(), durationMs: performance.now() - startedMs };
}
