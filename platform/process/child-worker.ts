import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { type AnswerWatch, createAnswerWatch, tickFor } from "./answer-watch.ts";
import { childEnvironment } from "./child-environment.ts";
import { endProcess } from "./end-process.ts";
import { followOutput } from "./follow-output.ts";
import { isProcessStopped } from "./is-process-stopped.ts";
import { explainMemoryKill, type MemoryKills, memoryKills } from "./memory-kills.ts";
import { residentBytes } from "./resident-bytes.ts";

/** A question that the process has not answered yet. */
export interface OpenQuestion {
  /** Called when the questions before it are answered (a worker answers in order): by then its speed is known better. */
  deadlineMs(): number;
  reject(error: Error): void;
}

export interface WorkerLoss {
  /**
   * `exit`: it ended by itself. `signal`: a signal from outside ended it. `memory`: the kernel killed it, as there was no memory left. `hang`:
   * killed without an answer. `dropped`: given up by its owner.
   */
  readonly cause: "exit" | "signal" | "memory" | "hang" | "dropped";
  /** A predicate: the process "ended with 3". */
  readonly reason: string;
}

export interface ChildWorkerOptions {
  readonly command: readonly string[];
  /** Variables added to those that a worker inherits. */
  readonly environment?: Readonly<Record<string, string>>;
  /** As in nice(1): how far the process yields the processor to others. Default: 0. */
  readonly niceness?: number | undefined;
  /** Memory that it needs, to be told when it is killed for lack of memory. */
  readonly neededBytes?: number | undefined;
  /** Default: what the kernel counts. */
  readonly memoryKills?: MemoryKills;
  /** Receives each line of the standard output. Default: it is discarded. */
  readonly onLine?: (line: string) => void;
  /** Receives each line of the standard error. Default: it goes to this process' own. */
  readonly onErrorLine?: ((line: string) => void) | undefined;
  /** Opens a message channel and receives its messages, until the process is lost. A worker ends with its channel, so with this process too. */
  readonly onMessage?: (message: unknown) => void;
  /** Closes a connection that is not the message channel, upon which the process ends. */
  readonly disconnect?: () => void;
  /** Resolves when all that an ended process has sent on such a connection is read: it may tell why it ended. */
  readonly readToEnd?: () => Promise<void>;
  /** Shortest deadline of an answer; the process is checked some ten times as often. */
  readonly minDeadlineMs: number;
  /** Time for which a signal may stop the process before it is killed. Default: three checks. */
  readonly maxStoppedMs?: number;
  /** Called at each check while no answer is expected. */
  readonly onIdle?: (idleMs: number) => void;
  /** Called when the process is killed because it does not answer. */
  readonly onHang?: ((reason: string) => void) | undefined;
  /** Default: "gave no answer for 200 ms". */
  readonly silenceToText?: (waitedMs: number) => string;
  /** Error of the questions that are open when the process is lost. */
  readonly lostError: (reason: string, pid: number) => Error;
  /** Clock of the deadlines, by process id. Default: this process' own. */
  readonly clockMs?: (pid: number) => number;
}

const stopGraceMs = 2_000;
/** The kernel closes the connections of a process that it kills before it has freed its memory, which takes a while. */
const disconnectedMs = 1_000;
/** Counts like this many thousandths of the limit beside its own memory. */
const victimScore = 300;

/** A child process of this program that answers questions; killed when it does not. */
export class ChildWorker<Question extends OpenQuestion = OpenQuestion> {
  readonly pid: number;
  /** Watches for the answer to the oldest open question. Its owner may expect something else of the process: to be ready, to report progress. */
  readonly watch: AnswerWatch;
  readonly #child: Bun.Subprocess;
  readonly #options: ChildWorkerOptions;
  readonly #lost = Promise.withResolvers<WorkerLoss>();
  readonly #open = new Map<number, Question>();
  #nextId = 1;
  #stoppedMs = 0;
  #paused = false;
  #loss: WorkerLoss | null = null;
  readonly #memoryKills: MemoryKills;
  /** Out-of-memory kills at the last two checks of the process: its end may be noticed after the last one. */
  #kills: readonly [number | null, number | null];
  /** Its memory at the last check. */
  #hadBytes: number | null = null;
  #ended: Promise<void> = Promise.resolve();

  /** @param allRead resolves when the whole standard output of an ended process was read */
  constructor(child: Bun.Subprocess, allRead: Promise<void>, options: ChildWorkerOptions) {
    const {
      minDeadlineMs,
      onIdle,
      silenceToText = (waitedMs) => `gave no answer for ${Math.round(waitedMs)} ms`,
    } = options;
    const tickMs = tickFor(minDeadlineMs);
    const { maxStoppedMs = 3 * tickMs, clockMs = () => performance.now() } = options;
    this.#child = child;
    this.#options = options;
    this.#memoryKills = options.memoryKills ?? memoryKills;
    this.#kills = [this.#memoryKills.count(), this.#memoryKills.count()];
    this.pid = child.pid;
    this.watch = createAnswerWatch({
      tickMs,
      nowMs: () => clockMs(child.pid),
      onSilent: (waitedMs) => this.hang(silenceToText(waitedMs)),
      onTick: () => {
        this.#stoppedMs = !this.#paused && isProcessStopped(child.pid) ? this.#stoppedMs + tickMs : 0;
        if (this.#stoppedMs >= maxStoppedMs) this.hang("was stopped by a signal and not resumed");
        this.#kills = [this.#kills[1], this.#memoryKills.count()];
        this.#hadBytes = residentBytes(child.pid) ?? this.#hadBytes;
      },
      isPaused: () => this.#paused,
      onIdle: (idleMs) => onIdle?.(idleMs),
    });
    void Promise.all([child.exited, allRead]).then(async ([code]) => {
      await options.readToEnd?.();
      const { signalCode } = child;
      if (signalCode === null) this.#lose({ cause: "exit", reason: `ended with ${code}` }, 0);
      else if (signalCode === "SIGKILL" && this.#lackedMemory()) this.#loseForMemory();
      else this.#lose({ cause: "signal", reason: `was ended by ${signalCode}` }, 0);
    });
  }

  /** Resolves when the process is of no more use. */
  get lost(): Promise<WorkerLoss> {
    return this.#lost.promise;
  }

  /** Null while the process is of use. */
  get loss(): WorkerLoss | null {
    return this.#loss;
  }

  /** Returns false while an answer is overdue or a signal has stopped the process, and when it is lost. */
  answers(): boolean {
    return this.#loss === null && this.#stoppedMs === 0 && !this.watch.late();
  }

  /** @param send receives the question's id */
  ask(question: Question, send: (id: number) => void): void {
    if (this.#loss !== null) {
      question.reject(this.#options.lostError(this.#loss.reason, this.pid));
      return;
    }
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_ffff) + 1;
    this.#open.set(id, question);
    if (this.#open.size === 1) this.watch.begin(question.deadlineMs());
    try {
      send(id);
    } catch (cause) {
      this.answered(id);
      question.reject(new Error(`process ${this.pid} accepts no requests`, { cause }));
    }
  }

  question(id: number): Question | undefined {
    return this.#open.get(id);
  }

  /** Takes a question that is answered off the list; the deadline of the next one begins. */
  answered(id: number): void {
    if (!this.#open.delete(id)) return;
    const [next] = this.#open.values();
    if (next === undefined) this.watch.end();
    else this.watch.begin(next.deadlineMs());
  }

  /** Sends a message on the channel. */
  send(message: object): void {
    if (this.#loss === null) this.#child.send(message);
  }

  /** Stops the process until it is resumed, so that others have its processors. Its answers have that much more time. */
  pause(): void {
    if (this.#loss !== null || this.#paused) return;
    this.#paused = true;
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#child.kill("SIGCONT");
  }

  /** Ends a process that is of no more use; kills it unless it ends with its connection within `graceMs`. */
  drop(reason: string, graceMs = 0): void {
    this.#lose({ cause: "dropped", reason }, graceMs);
  }

  /** Ends a process whose connection has closed. It gets a moment to end by itself, because how it ends tells why. */
  disconnected(graceMs: number): void {
    setTimeout(() => this.drop("closed its connection", graceMs), disconnectedMs).unref();
  }

  /** Kills a process that does not answer. */
  hang(why: string): void {
    if (this.#loss !== null) return;
    const reason = `${why}: killed`;
    this.#options.onHang?.(reason);
    this.#lose({ cause: "hang", reason }, 0);
  }

  /** Waits until the process has ended. */
  async stop(graceMs = stopGraceMs): Promise<void> {
    this.drop("was stopped", graceMs);
    await this.#ended;
  }

  /** Returns true when the kernel has killed for lack of memory since the last check of the process. */
  #lackedMemory(): boolean {
    const [before] = this.#kills;
    const now = this.#memoryKills.count();
    return now !== null && before !== null && now > before;
  }

  #loseForMemory(): void {
    const { neededBytes = null } = this.#options;
    const limitBytes = this.#memoryKills.limitBytes();
    this.#lose(
      { cause: "memory", reason: explainMemoryKill({ neededBytes, hadBytes: this.#hadBytes, limitBytes }) },
      0,
    );
  }

  #lose(loss: WorkerLoss, graceMs: number): void {
    if (this.#loss !== null) return;
    this.#loss = loss;
    this.watch.stop();
    this.resume();
    this.#options.disconnect?.();
    if (this.#options.onMessage !== undefined) this.#child.disconnect();
    this.#ended = endProcess(this.#child, graceMs);
    const error = this.#options.lostError(loss.reason, this.pid);
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
    this.#lost.resolve(loss);
  }
}

/** @throws Error when there is no such command. */
export function startChildWorker<Question extends OpenQuestion>(options: ChildWorkerOptions): ChildWorker<Question> {
  const { onLine, onErrorLine, onMessage, niceness } = options;
  const child = Bun.spawn([...options.command], {
    env: childEnvironment("worker", options.environment),
    stdin: "ignore",
    stdout: onLine === undefined ? "ignore" : "pipe",
    stderr: onErrorLine === undefined ? "inherit" : "pipe",
    ...(onMessage === undefined
      ? {}
      : { serialization: "advanced", ipc: (message: unknown) => worker.loss ?? onMessage(message) }),
  });
  const { stdout, stderr } = child;
  const read =
    onLine !== undefined && stdout instanceof ReadableStream ? followOutput(stdout, onLine) : Promise.resolve();
  const worker = new ChildWorker<Question>(child, read, options);
  if (niceness !== undefined) yieldProcessor(child.pid, niceness);
  preferAsVictim(child.pid);
  if (onErrorLine !== undefined && stderr instanceof ReadableStream) void followOutput(stderr, onErrorLine);
  return worker;
}

/** Has the kernel kill a child sooner than this process, which starts it again and tells why it was lost, when memory runs out. */
function preferAsVictim(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(victimScore));
  } catch {
    // It has ended already, or there is no /proc.
  }
}

/** Lowers the priority of a process that has just been started: the threads that it makes from now on have the same. */
function yieldProcessor(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already, which its exit tells; or the system does not know priorities.
  }
}
