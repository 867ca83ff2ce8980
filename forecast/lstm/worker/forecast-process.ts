import type { Logger } from "#platform/log.ts";
import { type AnswerWatch, createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { decideWorkerRestart } from "./decide-worker-restart.ts";
import { explainWorkerRestart } from "./explain-worker-restart.ts";
import type { ForecastRequest, ForecastWorker, ForecastWorkerState, WorkerMessage } from "./forecast-worker.ts";

export interface ForecastProcessOptions {
  /** Directory of the weights; null: the built-in ones. A function is asked at every start. */
  readonly modelDir: string | null | (() => string | null);
  /** Limit of one forecast in real milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Called at every change of state. */
  readonly onState?: (state: ForecastWorkerState) => void;
  /** Called when a process was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
  /** Maximum time to start. */
  readonly startMs?: number;
  /** Command started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

/** Timeouts in a row, and multiple of the limit, after which a process hangs. */
const maxTimeoutsInRow = 5;
const hangFactor = 10;
/** Weights are read and compiled meanwhile, maybe on a busy machine. */
const maxStartMs = 60_000;
const maxStoppedTicks = 3;
const stopGraceMs = 1_000;

interface Pending {
  resolve(outputs: Float32Array): void;
  reject(error: Error): void;
}

/** Keeps one child process running that holds the network, and restarts it when it is lost. Nothing happens before `start`. */
export class ForecastProcess implements ForecastWorker {
  readonly #options: ForecastProcessOptions;
  readonly #pending = new Map<number, Pending>();
  #state: ForecastWorkerState = { kind: "stopped" };
  #child: Bun.Subprocess | undefined;
  #watch: AnswerWatch | undefined;
  #restart: Timer | undefined;
  /** Cause for which the running process was killed. */
  #killReason: string | undefined;
  #failuresInRow = 0;
  #timeoutsInRow = 0;
  #nextId = 1;
  #stopping = false;

  constructor(options: ForecastProcessOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopping = false;
    if (this.#child === undefined && this.#restart === undefined) this.#launch();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#watch?.stop();
    clearTimeout(this.#restart);
    this.#restart = undefined;
    const running = this.#child;
    if (running !== undefined) {
      running.disconnect();
      await endProcess(running, stopGraceMs);
    }
    this.#rejectAll("the forecasting process was stopped");
    this.#enter({ kind: "stopped" });
  }

  state(): ForecastWorkerState {
    return this.#state;
  }

  run(features: Float32Array): Promise<Float32Array> {
    const { timeoutMs } = this.#options;
    const running = this.#child;
    if (this.#state.kind !== "ready" || running === undefined) {
      return Promise.reject(new Error(`the forecasting process is ${this.#state.kind}`));
    }
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      reject(new Error(`no forecast within ${timeoutMs} ms`));
      this.#countTimeout(running);
    }, timeoutMs);
    if (this.#pending.size === 0) this.#watch?.begin(hangFactor * timeoutMs);
    this.#pending.set(id, { resolve, reject });
    try {
      running.send({ id, features } satisfies ForecastRequest);
    } catch (error) {
      this.#pending.delete(id);
      reject(new Error("the forecasting process accepts no request", { cause: error }));
    }
    return promise.finally(() => clearTimeout(timer));
  }

  #countTimeout(running: Bun.Subprocess): void {
    this.#timeoutsInRow += 1;
    if (this.#timeoutsInRow !== maxTimeoutsInRow) return;
    this.#options.onHang?.(`gave no answer ${this.#timeoutsInRow} times in a row: killed`);
    running.kill("SIGKILL");
  }

  #launch() {
    const { modelDir: given, command } = this.#options;
    this.#restart = undefined;
    this.#enter({ kind: "starting" });
    this.#killReason = undefined;
    const modelDir = typeof given === "function" ? given() : given;
    const modelOption = modelDir === null ? [] : ["--model-dir", modelDir];
    let launched: Bun.Subprocess;
    try {
      launched = Bun.spawn([...(command ?? [...selfCommand(), "forecast-worker", ...modelOption])], {
        env: childEnvironment("worker"),
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
        serialization: "advanced",
        ipc: (message: WorkerMessage, process) => this.#receive(process, message),
      });
    } catch (error) {
      return this.#lose(`it can't be started: ${String(error)}`);
    }
    this.#child = launched;
    this.#timeoutsInRow = 0;
    this.#watch = this.#watchFor(launched);
    void launched.exited.then((code) => {
      const ended = launched.signalCode === null ? `ended with ${code}` : `was ended by ${launched.signalCode}`;
      this.#lose(this.#killReason ?? `the forecasting process ${ended}`);
    });
  }

  #watchFor(launched: Bun.Subprocess): AnswerWatch {
    const { timeoutMs, startMs = maxStartMs, onHang } = this.#options;
    const hang = (reason: string) => {
      this.#killReason ??= `the forecasting process ${reason}`;
      onHang?.(reason);
      launched.kill("SIGKILL");
    };
    let stoppedTicks = 0;
    const watch = createAnswerWatch({
      tickMs: tickFor(hangFactor * timeoutMs),
      onSilent: (waitedMs) => hang(`gave no answer for ${Math.round(waitedMs)} ms: killed`),
      onTick() {
        stoppedTicks = isProcessStopped(launched.pid) ? stoppedTicks + 1 : 0;
        if (stoppedTicks === maxStoppedTicks) hang("was stopped by a signal and not resumed: killed");
      },
    });
    watch.begin(startMs);
    return watch;
  }

  #receive(process: Bun.Subprocess, message: WorkerMessage) {
    const giveUp = (reason: string) => {
      this.#killReason = reason;
      process.kill("SIGKILL");
    };
    if (message === null || typeof message !== "object") return giveUp("it sent something that is not an answer");
    switch (message.kind) {
      case "unusable":
        return giveUp(message.reason);
      case "ready": {
        this.#watch?.end();
        const { backend, reason, problem, loadMs } = message;
        const figures = { backend, reason, loadMs: Math.round(loadMs), pid: process.pid };
        this.#options.log.info(figures, `the forecasting process is ready on the ${backend} backend (${reason})`);
        return this.#enter({ kind: "ready", backend, reason, problem, pid: process.pid });
      }
      case "outputs":
      case "failed":
        return this.#settle(message);
      default:
        message satisfies never;
        return giveUp("it sent something that is not an answer");
    }
  }

  #settle(message: Extract<WorkerMessage, { kind: "outputs" | "failed" }>): void {
    const waiting = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#watch?.end();
    else this.#watch?.begin(hangFactor * this.#options.timeoutMs);
    this.#timeoutsInRow = 0;
    this.#failuresInRow = 0;
    if (message.kind === "failed") waiting?.reject(new Error(message.reason));
    else waiting?.resolve(message.outputs);
  }

  #lose(reason: string): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#rejectAll(reason);
    this.#child = undefined;
    if (this.#stopping) return;
    this.#failuresInRow += 1;
    const decision = decideWorkerRestart(this.#failuresInRow);
    this.#options.log.warn({ reason, restart: explainWorkerRestart(decision) }, "the forecasting process is lost");
    this.#enter({ kind: "lost", reason });
    this.#restart = setTimeout(() => this.#launch(), decision.delayMs);
  }

  #enter(next: ForecastWorkerState): void {
    this.#state = next;
    this.#options.onState?.(next);
  }

  #rejectAll(reason: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
  }
}
