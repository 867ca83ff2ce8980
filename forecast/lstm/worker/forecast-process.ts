import type { Logger } from "#platform/log.ts";
import { type ChildWorker, type OpenQuestion, startChildWorker } from "#platform/process/child-worker.ts";
import { decideRestart, forecastRestartPolicy } from "#platform/process/decide-restart.ts";
import { explainRestart } from "#platform/process/explain-restart.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastRequest, ForecastWorker, ForecastWorkerState, WorkerMessage } from "./forecast-worker.ts";

export interface ForecastProcessOptions {
  /** Directory of the weights; null: the built-in ones. A function is asked at every start. */
  readonly modelDir: string | null | (() => string | null);
  /** Limit of one forecast in real milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Called at every change of state. */
  readonly onState?: (state: ForecastWorkerState) => void;
  /** Called when the process is killed because it does not answer. */
  readonly onHang?: (reason: string) => void;
  /** Maximum time to start. */
  readonly startMs?: number;
  /** Command started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

/** Timeouts in a row after which the process counts as hanging; one answer that takes this many times the limit counts as well. */
const maxTimeoutsInRow = 5;
const hangFactor = 10;
/** Weights are read and compiled meanwhile, maybe on a busy machine. */
const maxStartMs = minuteMs;

interface Asked extends OpenQuestion {
  resolve(outputs: Float32Array): void;
}

/** Keeps one child process with the network running, and starts it again when it is lost. Nothing happens before `start`. */
export class ForecastProcess implements ForecastWorker {
  readonly #options: ForecastProcessOptions;
  #state: ForecastWorkerState = { kind: "stopped" };
  #worker: ChildWorker<Asked> | undefined;
  #restart: Timer | undefined;
  #lossesInRow = 0;
  #timeoutsInRow = 0;

  constructor(options: ForecastProcessOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#worker === undefined && this.#restart === undefined) this.#launch();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#restart);
    this.#restart = undefined;
    const running = this.#worker;
    this.#worker = undefined;
    await running?.stop();
    this.#enter({ kind: "stopped" });
  }

  state(): ForecastWorkerState {
    return this.#state;
  }

  async run(features: Float32Array): Promise<Float32Array> {
    const { timeoutMs } = this.#options;
    const worker = this.#worker;
    if (this.#state.kind !== "ready" || worker === undefined)
      throw new Error(`the forecasting process is ${this.#state.kind}`);
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
    const timer = setTimeout(() => {
      this.#timeoutsInRow += 1;
      reject(new Error(`no forecast within ${timeoutMs} ms`));
      if (this.#timeoutsInRow === maxTimeoutsInRow) worker.hang(`gave no answer ${maxTimeoutsInRow} times in a row`);
    }, timeoutMs);
    try {
      worker.ask({ deadlineMs: () => hangFactor * timeoutMs, resolve, reject }, (id) =>
        worker.send({ id, features } satisfies ForecastRequest),
      );
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #enter(state: ForecastWorkerState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }

  #launch(): void {
    const { modelDir, command, timeoutMs, startMs = maxStartMs, onHang } = this.#options;
    this.#restart = undefined;
    this.#timeoutsInRow = 0;
    this.#enter({ kind: "starting" });
    const directory = typeof modelDir === "function" ? modelDir() : modelDir;
    const modelOption = directory === null ? [] : ["--model-dir", directory];
    try {
      const worker: ChildWorker<Asked> = startChildWorker<Asked>({
        command: command ?? [...selfCommand(), "forecast-worker", ...modelOption],
        onMessage: (message) => this.#receive(worker, message as WorkerMessage),
        onHang,
        minDeadlineMs: hangFactor * timeoutMs,
        lostError: (reason) => new Error(`the forecasting process ${reason}`),
      });
      this.#worker = worker;
      worker.watch.begin(startMs);
      void worker.lost.then(({ reason }) => {
        if (this.#worker === worker) this.#lose(`the forecasting process ${reason}`);
      });
    } catch (error) {
      this.#lose(`the forecasting process can't be started: ${String(error)}`);
    }
  }

  #lose(reason: string): void {
    this.#worker = undefined;
    this.#lossesInRow += 1;
    const decision = decideRestart(this.#lossesInRow, forecastRestartPolicy);
    this.#options.log.warn({ reason, restart: explainRestart(decision) }, "the forecasting process is lost");
    this.#enter({ kind: "lost", reason });
    this.#restart = setTimeout(() => this.#launch(), decision.delayMs);
  }

  #receive(worker: ChildWorker<Asked>, message: WorkerMessage | null): void {
    switch (message?.kind) {
      case "unusable":
        worker.drop(`can't be used: ${message.reason}`);
        break;
      case "ready": {
        worker.watch.end();
        const { backend, reason, problem, loadMs } = message;
        const { pid } = worker;
        this.#options.log.info(
          { backend, reason, loadMs: Math.round(loadMs), pid },
          `the forecasting process is ready on the ${backend} backend (${reason})`,
        );
        this.#enter({ kind: "ready", backend, reason, problem, pid });
        break;
      }
      case "outputs":
      case "failed": {
        const asked = worker.question(message.id);
        worker.answered(message.id);
        this.#timeoutsInRow = 0;
        this.#lossesInRow = 0;
        if (message.kind === "failed") asked?.reject(new Error(message.reason));
        else asked?.resolve(message.outputs);
        break;
      }
      default:
        worker.drop("sent something that is not an answer");
    }
  }
}
