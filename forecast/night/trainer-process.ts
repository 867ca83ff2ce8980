import { type AnswerWatch, createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { TrainerMessage, TrainerOrder, TrainerTask } from "./trainer-messages.ts";

const minuteMs = 60_000;

export interface TrainerProcessOptions {
  /** A trainer that sends nothing for this long while it may train hangs. */
  readonly silenceMs: number;
  readonly onMessage: (message: TrainerMessage) => void;
  /** Called with the cause when the trainer hangs or sends garbage; it is to be killed. */
  readonly onHang: (what: string) => void;
  /** Command started instead of this program's own trainer; for tests. */
  readonly command?: ((task: TrainerTask) => readonly string[]) | undefined;
}

/**
 * Command of this program's own trainer, in the scheduler's idle class where the system's chrt provides it: a request that wakes gets the
 * core at once. The niceness that the process gives itself only makes its share small, so that a request may wait for a time slice.
 */
function ownCommand(task: TrainerTask): string[] {
  const chrt = task.priority === "idle" ? Bun.which("chrt") : null;
  const idle = chrt === null ? [] : [chrt, "--idle", "0"];
  return [...idle, ...selfCommand(), "forecast-trainer", "--task", JSON.stringify(task)];
}

/** A running training process, watched for silence. */
export class TrainerProcess {
  readonly #process: Bun.Subprocess;
  readonly #watch: AnswerWatch;
  readonly #options: TrainerProcessOptions;
  #resting = false;

  /** @throws Error when the process can't be started. */
  constructor(task: TrainerTask, options: TrainerProcessOptions) {
    this.#options = options;
    this.#process = Bun.spawn([...(options.command ?? ownCommand)(task)], {
      env: childEnvironment("worker"),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
      serialization: "advanced",
      ipc: (message: TrainerMessage) => this.#receive(message),
    });
    this.#watch = this.#watchFor(this.pid);
    this.#watch.begin(options.silenceMs);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get resting(): boolean {
    return this.#resting;
  }

  /** Pauses training; a paused trainer may be silent. */
  rest(): void {
    this.#resting = true;
    this.#watch.end();
    this.#order("rest");
  }

  goOn(): void {
    this.#resting = false;
    this.#watch.begin(this.#options.silenceMs);
    this.#order("go-on");
  }

  /** Kills the process. Its checkpoint is written as a whole, so only the epoch under way is lost. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Resolves when the process has ended, with its exit code and the signal that ended it. */
  async ended(): Promise<{ readonly code: number; readonly signal: NodeJS.Signals | number | null }> {
    const code = await this.#process.exited;
    return { code, signal: this.#process.signalCode };
  }

  /** Kills the process and waits for its end; returns false if it did not end in time. */
  async killAndWait(): Promise<boolean> {
    await endProcess(this.#process, 0);
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  stopWatching(): void {
    this.#watch.stop();
  }

  #receive(message: TrainerMessage) {
    if (message === null || typeof message !== "object") {
      return this.#options.onHang("sent something that is not a message: killed");
    }
    if (!this.#resting) this.#watch.begin(this.#options.silenceMs);
    this.#options.onMessage(message);
  }

  #watchFor(pid: number): AnswerWatch {
    const { silenceMs, onHang } = this.#options;
    const tickMs = tickFor(silenceMs);
    let stoppedMs = 0;
    return createAnswerWatch({
      tickMs,
      onSilent: (waitedMs) => onHang(`sent nothing for ${Math.round(waitedMs / 1000)} s: killed`),
      onTick() {
        stoppedMs = isProcessStopped(pid) ? stoppedMs + tickMs : 0;
        if (stoppedMs > Math.min(silenceMs / 2, minuteMs)) onHang("was stopped by a signal and not resumed: killed");
      },
    });
  }

  #order(kind: TrainerOrder["kind"]): void {
    this.#process.send({ kind } satisfies TrainerOrder);
  }
}
