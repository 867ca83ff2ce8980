import { type ChildWorker, startChildWorker, type WorkerLoss } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import type { TrainerMessage, TrainerOrder, TrainerTask } from "./trainer-messages.ts";

export interface TrainerProcessOptions {
  /** A trainer that sends nothing for this long while it may train hangs. */
  readonly silenceMs: number;
  readonly onMessage: (message: TrainerMessage) => void;
  /** Called with the cause when the trainer hangs or sends garbage and is killed. */
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
  readonly #worker: ChildWorker;
  readonly #options: TrainerProcessOptions;
  #resting = false;

  /** @throws Error when the process can't be started. */
  constructor(task: TrainerTask, options: TrainerProcessOptions) {
    const { silenceMs, command = ownCommand, onHang } = options;
    this.#options = options;
    this.#worker = startChildWorker({
      command: command(task),
      onMessage: (message) => this.#receive(message as TrainerMessage | null),
      onHang,
      minDeadlineMs: silenceMs,
      maxStoppedMs: Math.min(silenceMs / 2, minuteMs),
      silenceToText: (waitedMs) => `sent nothing for ${Math.round(waitedMs / 1000)} s`,
      lostError: (reason) => new Error(`the training process ${reason}`),
    });
    this.#worker.watch.begin(silenceMs);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  get resting(): boolean {
    return this.#resting;
  }

  /** Pauses training; a paused trainer may be silent. */
  rest(): void {
    this.#resting = true;
    this.#worker.watch.end();
    this.#order("rest");
  }

  goOn(): void {
    this.#resting = false;
    this.#worker.watch.begin(this.#options.silenceMs);
    this.#order("go-on");
  }

  /** Kills the process. Its checkpoint is written as a whole, so only the epoch under way is lost. */
  kill(): void {
    this.#worker.drop("was stopped");
  }

  /** Resolves when the process has ended, or can't be killed. */
  async ended(): Promise<WorkerLoss> {
    const loss = await this.#worker.lost;
    await this.#worker.stop();
    return loss;
  }

  #receive(message: TrainerMessage | null): void {
    if (message === null || typeof message !== "object") {
      this.#worker.hang("sent something that is not a message");
      return;
    }
    if (!this.#resting) this.#worker.watch.begin(this.#options.silenceMs);
    this.#options.onMessage(message);
  }

  #order(kind: TrainerOrder["kind"]): void {
    this.#worker.send({ kind } satisfies TrainerOrder);
  }
}
