import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type ChildWorker, type OpenQuestion, startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import type { BacktestAnswer, BacktestQuestion, BacktestResult } from "./backtest-question.ts";

/** Time after which a replay is ended. */
const timeoutMs = 10 * minuteMs;
/** Replays whose results are kept, the newest. */
const maxKept = 5;
/** As in nice(1): a replay takes only what nothing else wants. */
const niceness = 19;

export interface BacktestJob {
  readonly id: string;
  readonly state: "running" | "done" | "failed" | "cancelled";
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** Share of the work that is done. */
  readonly progress: number;
  /** Name of who started it. */
  readonly by: string;
  /** Policies that are played. */
  readonly policies: readonly string[];
  readonly minutes: number;
  /** Reason for which there is no result; null: there is one, or will be. */
  readonly failure: string | null;
  readonly result: BacktestResult | null;
}

export interface BacktestJobsParts {
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Command started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

interface Running {
  readonly worker: ChildWorker<OpenQuestion>;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Replays of recorded traffic, one at a time, each in a process of its own that yields to all others. Their results are in memory. */
export class BacktestJobs {
  readonly #parts: BacktestJobsParts;
  /** The newest last. */
  readonly #jobs = new Map<string, BacktestJob>();
  #running: (Running & { readonly id: string }) | null = null;

  constructor(parts: BacktestJobsParts) {
    this.#parts = parts;
  }

  /** @throws ServiceError CONFLICT while another one runs */
  start(question: BacktestQuestion, by: string): BacktestJob {
    if (this.#running !== null)
      throw new ServiceError("CONFLICT", "a backtest is already running: wait for it, or cancel it", {
        details: { id: this.#running.id },
      });
    const id = crypto.randomUUID();
    const job: BacktestJob = {
      ...{ id, state: "running", startedAtMs: this.#parts.nowMs(), endedAtMs: null, progress: 0, by },
      ...{ policies: question.policies.map(({ label }) => label), minutes: question.rates.length },
      ...{ failure: null, result: null },
    };
    this.#jobs.set(id, job);
    while (this.#jobs.size > maxKept) this.#jobs.delete(this.#jobs.keys().next().value as string);
    this.#running = { id, ...this.#launch(id, question) };
    return job;
  }

  /** @throws ServiceError NOT_FOUND */
  get(id: string): BacktestJob {
    const job = this.#jobs.get(id);
    if (job === undefined)
      throw new ServiceError("NOT_FOUND", `there is no backtest ${id}; the newest ${maxKept} are kept`);
    return job;
  }

  /** Jobs, newest first, without their results. */
  list(): Omit<BacktestJob, "result">[] {
    return [...this.#jobs.values()].reverse().map(({ result: _, ...job }) => job);
  }

  /** Ends a job that runs; one that has ended stays as it is. @throws ServiceError NOT_FOUND */
  cancel(id: string): BacktestJob {
    if (this.get(id).state === "running") this.#end(id, { state: "cancelled", failure: "it was cancelled" });
    return this.get(id);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#end(running.id, { state: "cancelled", failure: "the controller was stopped" });
    await running.worker.stop();
  }

  #launch(id: string, question: BacktestQuestion): Running {
    const fail = (failure: string) => this.#end(id, { state: "failed", failure });
    const worker: ChildWorker<OpenQuestion> = startChildWorker<OpenQuestion>({
      command: this.#parts.command ?? [...selfCommand(), "backtest-worker"],
      ...{ niceness, minDeadlineMs: timeoutMs, maxStoppedMs: Number.POSITIVE_INFINITY },
      lostError: (reason) => new Error(`the replaying process ${reason}`),
      onMessage: (message) => this.#take(id, message),
    });
    const timer = setTimeout(() => fail(`it took longer than ${timeoutMs / minuteMs} minutes`), timeoutMs);
    worker.ask({ deadlineMs: () => Number.POSITIVE_INFINITY, reject: (error) => fail(describeError(error)) }, () =>
      worker.send(question),
    );
    return { worker, timer };
  }

  #take(id: string, message: unknown): void {
    const job = this.#jobs.get(id);
    if (job?.state !== "running") return;
    const fail = (failure: string) => this.#end(id, { state: "failed", failure });
    if (message === null || typeof message !== "object") {
      fail("the replaying process sent an invalid answer");
      return;
    }
    const answer = message as BacktestAnswer;
    if ("result" in answer) this.#end(id, { state: "done", progress: 1, result: answer.result });
    else if ("failure" in answer) fail(answer.failure);
    else if (Number.isFinite(answer.progress))
      this.#jobs.set(id, { ...job, progress: Math.min(1, Math.max(job.progress, answer.progress)) });
  }

  #end(id: string, outcome: Partial<BacktestJob> & Pick<BacktestJob, "state">): void {
    const job = this.#jobs.get(id);
    const running = this.#running;
    if (running?.id !== id) return;
    this.#running = null;
    clearTimeout(running.timer);
    if (job !== undefined) this.#jobs.set(id, { ...job, ...outcome, endedAtMs: this.#parts.nowMs() });
    running.worker.drop("is no longer needed");
    this.#parts.log.info({ backtest: id, state: outcome.state, failure: outcome.failure }, "a backtest has ended");
  }
}
