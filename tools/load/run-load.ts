import { type ArrivalKind, arrivalTimes } from "./arrival-times.ts";
import { type LoadCounts, LoadTally, type Outcome } from "./load-counts.ts";
import type { LoadPhase } from "./plan-load.ts";

/** Request that ended. */
export interface EndedRequest {
  /** Index of the phase in which it was due. */
  readonly phase: number;
  /** Due time, ms after the phase began. */
  readonly dueMs: number;
  readonly outcome: Outcome;
  /** Time from the due time to the answer. */
  readonly latencyMs: number;
  /** Part of the latency that is this program's own: it was late to send. */
  readonly lateMs: number;
}

interface RunLoadOptions {
  readonly mode: "open" | "closed";
  /** Open loop: spacing of the requests (default: constant). */
  readonly arrivals?: ArrivalKind;
  readonly phases: readonly LoadPhase[];
  /** Sends a request; resolves with its outcome, never rejects. */
  readonly send: (signal: AbortSignal) => Promise<Outcome>;
  /** Ends the run early. */
  readonly stop: AbortSignal;
  /** Open loop: limit of requests in flight; others wait, and the wait counts as latency. */
  readonly maxInFlight: number;
  /** Called about once a second. */
  readonly onProgress: (elapsedMs: number, counts: LoadCounts) => void;
  /** Open loop: called for each request that ended, except those that a stop ended. */
  readonly onRequest?: (request: EndedRequest) => void;
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
  const { stop, arrivals = "constant", onRequest } = options;
  const total = new LoadTally();
  const startedMs = performance.now();
  const timer = setInterval(() => options.onProgress(performance.now() - startedMs, total.counts()), 1_000);

  const request = async (
    countedFromMs: number,
    phase: LoadTally,
    about?: Pick<EndedRequest, "phase" | "dueMs" | "lateMs">,
  ) => {
    const outcome = await options.send(stop);
    const latencyMs = performance.now() - countedFromMs;
    const cut = stop.aborted && outcome !== "ok";
    for (const tally of [total, phase]) {
      if (cut) tally.recordUnanswered();
      else tally.record(outcome, latencyMs);
    }
    if (!cut && about !== undefined) onRequest?.({ ...about, outcome, latencyMs });
  };

  const inFlight = new Set<Promise<void>>();
  let latestSendMs = 0;
  let slotFreed = Promise.withResolvers<void>();
  let slotWaitEndedMs = 0;
  const openPhase = async (index: number, fromMs: number, phase: LoadPhase, tally: LoadTally) => {
    for (const atMs of arrivalTimes(phase, arrivals)) {
      if (stop.aborted) return;
      const dueMs = fromMs + atMs;
      await waitUntil(dueMs, stop);
      // A wait for a slot is the server's doing; being late for another reason is this program's.
      const lateMs = Math.max(0, performance.now() - Math.max(dueMs, slotWaitEndedMs));
      while (inFlight.size >= options.maxInFlight) {
        await slotFreed.promise;
        slotWaitEndedMs = performance.now();
      }
      if (stop.aborted) return;
      // A request sent slightly early counts from its sending: latency is never understated.
      const nowMs = performance.now();
      latestSendMs = Math.max(latestSendMs, nowMs - dueMs);
      const about = { phase: index, dueMs: atMs, lateMs };
      const sent: Promise<void> = request(Math.min(dueMs, nowMs), tally, about).finally(() => {
        inFlight.delete(sent);
        slotFreed.resolve();
        slotFreed = Promise.withResolvers();
      });
      inFlight.add(sent);
    }
    await waitUntil(fromMs + phase.durationMs, stop);
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
    for (const [index, phase] of options.phases.entries()) {
      if (stop.aborted) break;
      const tally = new LoadTally();
      phases.push({ tally, phase });
      if (options.mode === "open") await openPhase(index, fromMs, phase, tally);
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
