import { setTimeout } from "node:timers/promises";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { decideRestart, modelRestartPolicy } from "#platform/process/decide-restart.ts";
import { explainRestart } from "#platform/process/explain-restart.ts";
import { computeInParts, isOfBatch } from "./compute-in-parts.ts";
import { type BatchResult, type ModelProcess, ModelProcessLostError } from "./model-process.ts";

export type ModelState = "loading" | "loaded" | "failing" | "stopped";

export interface ModelRunnerOptions {
  readonly id: string;
  /** Gives up when the signal aborts. */
  readonly startProcess: (signal: AbortSignal) => Promise<ModelProcess>;
  readonly log: Logger;
  readonly onLoaded: (process: ModelProcess) => void;
  /** Called when the process is lost, before it is started again. */
  readonly onLost?: () => void;
  /** Called with the reason when the process keeps being lost and requests are refused. */
  readonly onFailing?: (reason: string) => void;
}

/** Losses in a row from which requests are refused instead of waiting for the next start. */
const failingFrom = 3;

/** Keeps a model's process running and computes batches on it. */
export class ModelRunner {
  readonly #options: ModelRunnerOptions;
  readonly #stopping = new AbortController();
  readonly #firstLoaded = Promise.withResolvers<void>();
  #state: ModelState = "loading";
  #process: ModelProcess | null = null;
  #arrival = Promise.withResolvers<ModelProcess>();
  #lossesInRow = 0;
  #restarts = 0;
  #loop: Promise<void> | undefined;
  /** Batches that are computed in parts, one after the other; no other is sent while there are any. */
  #inParts: Promise<unknown> = Promise.resolve();
  #batchesInParts = 0;

  constructor(options: ModelRunnerOptions) {
    this.#options = options;
  }

  get state(): ModelState {
    return this.#state;
  }

  get process(): ModelProcess | null {
    return this.#process;
  }

  /** Number of times that the process was lost and started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves when the model is loaded for the first time, or the runner is stopped. */
  get firstLoaded(): Promise<void> {
    return this.#firstLoaded.promise;
  }

  /** Returns false while there is no process, or its answer is overdue. */
  answers(): boolean {
    return this.#process?.answers() === true;
  }

  /** Stops its process, where there is one, until it is resumed. */
  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  start(): void {
    this.#loop ??= this.#keepRunning();
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#stopping.abort();
    this.#refuseWaiting(`model ${this.#options.id} is being unloaded`);
    await this.#process?.stop();
    await this.#loop; // a start that was under way is over now
    await this.#process?.stop();
    this.#firstLoaded.resolve();
  }

  /**
   * Waits for the process while it is being started. A batch that loses its process is computed once more on the next one. A batch that
   * loses two processes, or that the model refuses, is computed in parts and alone, to find the text at fault.
   * @throws ServiceError MODEL_UNAVAILABLE when the process keeps failing, BatchFailedError when the model refuses a single text.
   */
  async run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    const { id, log } = this.#options;
    try {
      return await this.#runWhole(texts, paddedTokens).catch((error) => {
        if (!isOfBatch(error) || texts.length === 1 || this.#state === "stopped") throw error;
        log.warn({ model: id, texts: texts.length, err: error }, "computing the batch in parts");
        return this.#runInParts(texts, paddedTokens);
      });
    } catch (error) {
      if (!(error instanceof ModelProcessLostError)) throw error;
      throw this.#unavailable(`model ${id} failed twice on a batch`, error);
    }
  }

  async #keepRunning(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const reason = await this.#runProcess().catch(describeError);
      if (signal.aborted) return;
      await this.#recover(reason);
    }
  }

  /** Starts a process and returns why it is of no more use. */
  async #runProcess(): Promise<string> {
    const { id, startProcess, onLoaded, log } = this.#options;
    const started = await startProcess(this.#stopping.signal);
    this.#process = started;
    if (this.#stopping.signal.aborted) return "was stopped";
    this.#state = "loaded";
    onLoaded(started);
    log.info({ model: id, pid: started.pid, loadMs: Math.round(started.loadMs) }, "model loaded");
    this.#firstLoaded.resolve();
    this.#arrival.resolve(started);
    const reason = await started.lost;
    this.#retire(started);
    return reason;
  }

  /** Waits until the process may be started again. */
  async #recover(reason: string): Promise<void> {
    const { id, onLost, onFailing, log } = this.#options;
    // A batch in parts is known to end processes: its losses say nothing about the next batch.
    if (this.#batchesInParts === 0) this.#lossesInRow += 1;
    this.#restarts += 1;
    onLost?.();
    const decision = decideRestart(this.#lossesInRow, modelRestartPolicy);
    this.#state = this.#lossesInRow >= failingFrom ? "failing" : "loading";
    log.error({ model: id, lost: reason, ...decision }, `model process ${explainRestart(decision)}`);
    if (this.#state === "failing") {
      this.#refuseWaiting(`model ${id} can't be loaded at the moment: ${reason}`);
      onFailing?.(reason);
    }
    await setTimeout(decision.delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  #unavailable(message: string, cause?: unknown): ServiceError {
    return new ServiceError("MODEL_UNAVAILABLE", message, { retryAfterS: 1, cause });
  }

  #refuseWaiting(message: string): void {
    this.#arrival.promise.catch(() => {}); // no batch may be waiting
    this.#arrival.reject(this.#unavailable(message));
    this.#arrival = Promise.withResolvers();
  }

  /** Stops using a lost process: batches wait for the next one. */
  #retire(lost: ModelProcess): void {
    if (this.#process !== lost) return;
    this.#process = null;
    this.#arrival = Promise.withResolvers();
  }

  async #nextProcess(): Promise<ModelProcess> {
    const { id } = this.#options;
    if (this.#state === "stopped") throw this.#unavailable(`model ${id} is being unloaded`);
    if (this.#state === "failing") throw this.#unavailable(`model ${id} can't be loaded at the moment`);
    return this.#process ?? (await this.#arrival.promise);
  }

  async #runOn(process: ModelProcess, texts: readonly Uint32Array[], paddedTokens: number, suspect: boolean) {
    try {
      const result = await process.run(texts, paddedTokens, suspect);
      this.#lossesInRow = 0;
      return result;
    } catch (error) {
      if (error instanceof ModelProcessLostError) this.#retire(process);
      throw error;
    }
  }

  async #runOnce(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    let process = await this.#nextProcess();
    while (this.#batchesInParts > 0) {
      await this.#inParts;
      process = await this.#nextProcess();
    }
    return this.#runOn(process, texts, paddedTokens, false);
  }

  /** Computes a batch as a whole, once more when that loses a process. */
  async #runWhole(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    try {
      return await this.#runOnce(texts, paddedTokens);
    } catch (error) {
      if (!(error instanceof ModelProcessLostError) || this.#state === "stopped") throw error;
      this.#options.log.warn({ model: this.#options.id, texts: texts.length }, "computing the batch once more");
    }
    return this.#runOnce(texts, paddedTokens);
  }

  #runInParts(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    this.#batchesInParts += 1;
    const result = this.#inParts
      .then(() =>
        computeInParts(texts, async (part) => this.#runOn(await this.#nextProcess(), part, paddedTokens, true)),
      )
      .finally(() => {
        this.#batchesInParts -= 1;
      });
    this.#inParts = result.catch(() => {});
    return result;
  }
}
