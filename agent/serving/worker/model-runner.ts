import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { computeInParts } from "./compute-in-parts.ts";
import { decideRestart } from "./decide-restart.ts";
import { BatchFailedError, type BatchResult, type ModelProcess, ModelProcessLostError } from "./model-process.ts";

export type ModelState = "loading" | "loaded" | "failing" | "stopped";

/** Keeps a model's process running and computes batches on it, one at a time. */
export interface ModelRunner {
  start(): void;
  stop(): Promise<void>;
  readonly state: ModelState;
  /** False while there is no process, or its answer is overdue. */
  answers(): boolean;
  /** The present process, when there is one. */
  readonly process: ModelProcess | null;
  /** How often the process was lost and started again. */
  readonly restarts: number;
  /** Resolves when the model is loaded for the first time, or the runner is stopped. */
  readonly firstLoaded: Promise<void>;
  /**
   * Waits for the process where it is being started. A batch that loses its process is computed once more on the next one; one that
   * costs two processes, or that the model refuses, in parts and with no other beside it, to find the text at fault.
   * @throws ServiceError MODEL_UNAVAILABLE when the process keeps failing, BatchFailedError when the model refuses a single text.
   */
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult>;
}

/** From so many losses in a row requests are turned away instead of kept waiting for the next start. */
const failingFrom = 3;

/**
 * @param onLoaded is told of every start that succeeded.
 * @param onLost is told of every process that was lost, before it is started again.
 * @param onFailing is told why when requests are turned away because the process keeps being lost.
 */
export function createModelRunner(options: {
  readonly id: string;
  /** Gives up when the signal aborts. */
  readonly startProcess: (signal: AbortSignal) => Promise<ModelProcess>;
  readonly log: Logger;
  readonly onLoaded: (process: ModelProcess) => void;
  readonly onLost?: () => void;
  readonly onFailing?: (reason: string) => void;
}): ModelRunner {
  const { id, startProcess, log, onLoaded, onLost, onFailing } = options;
  const stopping = new AbortController();
  const firstLoaded = Promise.withResolvers<void>();
  let state: ModelState = "loading";
  let current: ModelProcess | null = null;
  let arrival = Promise.withResolvers<ModelProcess>();
  let failuresInRow = 0;
  let restarts = 0;
  let loop: Promise<void> | undefined;
  /** Batches that are computed in parts, one after the other; while there are any, no other is sent. */
  let inParts: Promise<unknown> = Promise.resolve();
  let batchesInParts = 0;

  const unavailable = (message: string, cause?: unknown) =>
    new ServiceError("MODEL_UNAVAILABLE", message, { retryAfterS: 1, cause });

  const turnAway = (message: string, cause?: unknown) => {
    // Nobody may be waiting.
    arrival.promise.catch(() => {});
    arrival.reject(unavailable(message, cause));
    arrival = Promise.withResolvers();
  };

  /** A lost process is no longer handed out: those who come now wait for the next one. */
  const retire = (lost: ModelProcess) => {
    if (current !== lost) return;
    current = null;
    arrival = Promise.withResolvers();
  };

  const wait = (delayMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      stopping.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });

  const supervise = async () => {
    while (!stopping.signal.aborted) {
      let reason: string;
      try {
        const started = await startProcess(stopping.signal);
        current = started;
        if (stopping.signal.aborted) return;
        state = "loaded";
        onLoaded(started);
        log.info({ model: id, pid: started.pid, loadMs: Math.round(started.loadMs) }, "model loaded");
        firstLoaded.resolve();
        arrival.resolve(started);
        reason = await started.lost;
        retire(started);
      } catch (error) {
        reason = describeError(error);
      }
      if (stopping.signal.aborted) return;
      // What a batch that is known to end processes costs says nothing of the next one.
      if (batchesInParts === 0) failuresInRow += 1;
      restarts += 1;
      onLost?.();
      const decision = decideRestart(failuresInRow);
      state = failuresInRow >= failingFrom ? "failing" : "loading";
      log.error(
        { model: id, lost: reason, failuresInRow, delayMs: decision.delayMs },
        `model process: ${decision.reason}`,
      );
      if (state === "failing") {
        turnAway(`model ${id} can't be loaded at the moment: ${reason}`);
        onFailing?.(reason);
      }
      await wait(decision.delayMs);
    }
  };

  const runOn = async (
    process: ModelProcess,
    texts: readonly Uint32Array[],
    paddedTokens: number,
    suspect: boolean,
  ) => {
    try {
      const result = await process.run(texts, paddedTokens, suspect);
      failuresInRow = 0;
      return result;
    } catch (error) {
      if (error instanceof ModelProcessLostError) retire(process);
      throw error;
    }
  };

  const nextProcess = async () => {
    if (state === "stopped") throw unavailable(`model ${id} is being unloaded`);
    if (state === "failing") throw unavailable(`model ${id} can't be loaded at the moment`);
    return current ?? (await arrival.promise);
  };

  const runOnce = async (texts: readonly Uint32Array[], paddedTokens: number) => {
    let process = await nextProcess();
    while (batchesInParts > 0) {
      await inParts;
      process = await nextProcess();
    }
    return runOn(process, texts, paddedTokens, false);
  };

  const runInParts = (texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> => {
    batchesInParts += 1;
    const result = inParts
      .then(() => computeInParts(texts, async (part) => runOn(await nextProcess(), part, paddedTokens, true)))
      .finally(() => {
        batchesInParts -= 1;
      });
    inParts = result.catch(() => {});
    return result;
  };

  /** As a whole; once more when that costs a process. */
  const runWhole = async (texts: readonly Uint32Array[], paddedTokens: number) => {
    try {
      return await runOnce(texts, paddedTokens);
    } catch (error) {
      if (!(error instanceof ModelProcessLostError) || state === "stopped") throw error;
      log.warn({ model: id, texts: texts.length }, "the batch in flight is computed once more");
    }
    return runOnce(texts, paddedTokens);
  };

  return {
    start() {
      loop ??= supervise();
    },
    async stop() {
      state = "stopped";
      stopping.abort();
      turnAway(`model ${id} is being unloaded`);
      await current?.stop();
      await loop; // a start that was under way is over now
      await current?.stop();
      firstLoaded.resolve();
    },
    get state() {
      return state;
    },
    answers: () => current?.answers() === true,
    get process() {
      return current;
    },
    get restarts() {
      return restarts;
    },
    firstLoaded: firstLoaded.promise,
    async run(texts, paddedTokens) {
      try {
        try {
          return await runWhole(texts, paddedTokens);
        } catch (error) {
          const isOfBatch = error instanceof ModelProcessLostError || error instanceof BatchFailedError;
          if (!isOfBatch || texts.length === 1 || state === "stopped") throw error;
          log.warn({ model: id, texts: texts.length, err: error }, "the batch is computed in parts");
          return await runInParts(texts, paddedTokens);
        }
      } catch (error) {
        if (!(error instanceof ModelProcessLostError)) throw error;
        throw unavailable(`model ${id} failed twice on a batch`, error);
      }
    },
  };
}
