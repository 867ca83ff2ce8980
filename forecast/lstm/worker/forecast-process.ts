import type { Logger } from "#platform/log.ts";
import { type AnswerWatch, createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { decideWorkerRestart } from "./decide-worker-restart.ts";
import type { ForecastWorker, ForecastWorkerState } from "./forecast-worker.ts";
import type { WorkerMessage } from "./worker-messages.ts";

export interface ForecastProcessOptions {
  /** null: the weights that the program carries. A function is asked at every start. */
  readonly modelDir: string | null | (() => string | null);
  /** Real milliseconds for one forecast. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Told of every change. */
  readonly onState?: (state: ForecastWorkerState) => void;
  /** Told of a process that was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
  /** Maximum time to start. */
  readonly startMs?: number;
  /** Started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

/** A process that answers nothing this many times in a row hangs, and so does one that takes this many times the limit. */
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

/** Keeps one child process running that holds the network, and starts it again when it is lost. Nothing happens before `start`. */
export function createForecastProcess(options: ForecastProcessOptions): ForecastWorker {
  const { log, timeoutMs } = options;
  const pending = new Map<number, Pending>();
  let state: ForecastWorkerState = { kind: "stopped" };
  let child: Bun.Subprocess | undefined;
  let watch: AnswerWatch | undefined;
  let restart: Timer | undefined;
  let failuresInRow = 0;
  let timeoutsInRow = 0;
  let nextId = 1;
  let stopping = false;

  const enter = (next: ForecastWorkerState) => {
    state = next;
    options.onState?.(next);
  };
  const rejectAll = (reason: string) => {
    for (const { reject } of pending.values()) reject(new Error(reason));
    pending.clear();
  };

  const lose = (reason: string) => {
    watch?.stop();
    watch = undefined;
    rejectAll(reason);
    child = undefined;
    if (stopping) return;
    failuresInRow += 1;
    const decision = decideWorkerRestart(failuresInRow);
    log.warn({ reason, restart: decision.reason }, "the forecasting process is lost");
    enter({ kind: "lost", reason });
    restart = setTimeout(launch, decision.delayMs);
  };

  const take = (process: Bun.Subprocess, message: WorkerMessage, unusable: (reason: string) => void) => {
    if (message === null || typeof message !== "object") return unusable("it sent something that is not an answer");
    if (message.kind === "unusable") return unusable(message.reason);
    if (message.kind === "ready") {
      watch?.end();
      const { backend, reason, problem, loadMs } = message;
      log.info({ backend, reason, loadMs: Math.round(loadMs), pid: process.pid }, "the forecasting process is ready");
      return enter({ kind: "ready", backend, reason, problem, pid: process.pid });
    }
    if (message.kind !== "outputs" && message.kind !== "failed")
      return unusable("it sent something that is not an answer");
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (pending.size === 0) watch?.end();
    else watch?.begin(hangFactor * timeoutMs);
    timeoutsInRow = 0;
    failuresInRow = 0;
    if (message.kind === "failed") waiting?.reject(new Error(message.reason));
    else waiting?.resolve(message.outputs);
  };

  const launch = () => {
    restart = undefined;
    enter({ kind: "starting" });
    let unusableReason: string | undefined;
    const hang = (process: Bun.Subprocess, reason: string) => {
      unusableReason ??= `the forecasting process ${reason}`;
      options.onHang?.(reason);
      process.kill("SIGKILL");
    };
    const modelDir = typeof options.modelDir === "function" ? options.modelDir() : options.modelDir;
    const modelOption = modelDir === null ? [] : ["--model-dir", modelDir];
    let launched: Bun.Subprocess;
    try {
      launched = Bun.spawn([...(options.command ?? [...selfCommand(), "forecast-worker", ...modelOption])], {
        env: childEnvironment("worker"),
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
        serialization: "advanced",
        ipc(message: WorkerMessage, process) {
          take(process, message, (reason) => {
            unusableReason = reason;
            process.kill("SIGKILL");
          });
        },
      });
    } catch (error) {
      return lose(`it can't be started: ${String(error)}`);
    }
    child = launched;
    timeoutsInRow = 0;
    let stoppedTicks = 0;
    watch = createAnswerWatch({
      tickMs: tickFor(hangFactor * timeoutMs),
      onSilent: (waitedMs) => hang(launched, `gave no answer for ${Math.round(waitedMs)} ms: killed`),
      onTick() {
        stoppedTicks = isProcessStopped(launched.pid) ? stoppedTicks + 1 : 0;
        if (stoppedTicks === maxStoppedTicks) hang(launched, "was stopped by a signal and not resumed: killed");
      },
    });
    watch.begin(options.startMs ?? maxStartMs);
    void launched.exited.then((code) => {
      const how = launched.signalCode === null ? `ended with ${code}` : `was ended by ${launched.signalCode}`;
      lose(unusableReason ?? `the forecasting process ${how}`);
    });
  };

  return {
    start() {
      stopping = false;
      if (child === undefined && restart === undefined) launch();
    },
    async stop() {
      stopping = true;
      watch?.stop();
      clearTimeout(restart);
      restart = undefined;
      const running = child;
      if (running !== undefined) {
        running.disconnect();
        await endProcess(running, stopGraceMs);
      }
      rejectAll("the forecasting process was stopped");
      enter({ kind: "stopped" });
    },
    state: () => state,
    run(features) {
      const running = child;
      if (state.kind !== "ready" || running === undefined) {
        return Promise.reject(new Error(`the forecasting process is ${state.kind}`));
      }
      const id = nextId;
      nextId += 1;
      const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
      const timer = setTimeout(() => {
        pending.delete(id);
        timeoutsInRow += 1;
        reject(new Error(`no forecast within ${timeoutMs} ms`));
        if (timeoutsInRow === maxTimeoutsInRow) {
          options.onHang?.(`gave no answer ${timeoutsInRow} times in a row: killed`);
          running.kill("SIGKILL");
        }
      }, timeoutMs);
      if (pending.size === 0) watch?.begin(hangFactor * timeoutMs);
      pending.set(id, { resolve, reject });
      try {
        running.send({ id, features });
      } catch (error) {
        pending.delete(id);
        reject(new Error("the forecasting process takes no request", { cause: error }));
      }
      return promise.finally(() => clearTimeout(timer));
    },
  };
}
