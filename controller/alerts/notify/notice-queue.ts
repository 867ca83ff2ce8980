import type { Clock } from "#platform/clock.ts";
import { doublingDelayMs } from "#platform/doubling-delay.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs, minuteMs, secondMs } from "#platform/time.ts";
import { type Notice, type Notifier, NotifierRefusalError } from "./notifier.ts";

export interface NoticeQueueParts {
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly log: Logger;
  /** Time that a first notice waits for others. */
  readonly waitMs: number;
  /** Minimum time between two messages. */
  readonly intervalMs: number;
  readonly firstPauseMs?: number;
}

/** Counts and state of a notifier. */
export interface NotifierStatus {
  readonly name: string;
  readonly kind: string;
  readonly queued: number;
  readonly sent: number;
  readonly failures: number;
  readonly dropped: number;
  readonly lastSentMs: number | null;
  /** Reason of the newest failure since the last message that was sent; null: none. */
  readonly lastError: string | null;
}

/** Notices that may wait for one notifier, and that go in one message. */
const maxQueued = 1000;
const maxInMessage = 100;
/** Age from which a notice that could not be sent is dropped. */
const maxAgeMs = dayMs;
const firstRetryMs = secondMs;
const maxRetryMs = 5 * minuteMs;

/** Line of notices before a notifier: offering one never waits. Failed messages are tried again, ever more rarely. */
export class NoticeQueue {
  readonly #parts: NoticeQueueParts;
  readonly #abort = new AbortController();
  readonly #waiting = new Map<string, Notice>();
  #running: Promise<void> | null = null;
  #lastMessageMs = Number.NEGATIVE_INFINITY;
  #sent = 0;
  #failures = 0;
  #dropped = 0;
  #lastSentMs: number | null = null;
  #lastError: string | null = null;

  constructor(parts: NoticeQueueParts) {
    this.#parts = parts;
  }

  status(): NotifierStatus {
    const { name, kind } = this.#parts.notifier;
    const counts = { queued: this.#waiting.size, sent: this.#sent, failures: this.#failures, dropped: this.#dropped };
    return { name, kind, ...counts, lastSentMs: this.#lastSentMs, lastError: this.#lastError };
  }

  /** Adds a notice; it replaces one about the same thing that still waits. The oldest is dropped when too many wait. */
  offer(notice: Notice): void {
    if (this.#abort.signal.aborted) return;
    this.#waiting.delete(notice.key);
    this.#waiting.set(notice.key, notice);
    if (this.#waiting.size > maxQueued) {
      const [oldest] = this.#waiting.keys();
      this.#waiting.delete(oldest as string);
      this.#dropped += 1;
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Stops sending; a message on its way is given up. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, waitMs, intervalMs } = this.#parts;
    const { signal } = this.#abort;
    let failuresInRow = 0;
    while (this.#waiting.size > 0 && !signal.aborted) {
      const untilMs = Math.max(waitMs, this.#lastMessageMs + intervalMs - clock.nowMs());
      if (failuresInRow === 0 && untilMs > 0) await clock.sleep(Math.min(untilMs, dayMs), signal);
      if (signal.aborted) return;
      const done = await this.#sendSome();
      failuresInRow = done ? 0 : failuresInRow + 1;
      if (done || signal.aborted) continue;
      await clock.sleep(doublingDelayMs(failuresInRow, this.#parts.firstPauseMs ?? firstRetryMs, maxRetryMs), signal);
    }
  }

  /** Sends a message; false when it is to be tried again. */
  async #sendSome(): Promise<boolean> {
    const { notifier, clock, log } = this.#parts;
    const nowMs = clock.nowMs();
    for (const [key, { atMs }] of this.#waiting)
      if (nowMs - atMs > maxAgeMs && this.#waiting.delete(key)) this.#dropped += 1;
    const batch = [...this.#waiting.values()].slice(0, maxInMessage);
    if (batch.length === 0) return true;
    try {
      await notifier.send(batch, nowMs, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return true;
      return this.#noteFailure(error, batch);
    }
    this.#forget(batch);
    this.#sent += batch.length;
    this.#lastMessageMs = clock.nowMs();
    this.#lastSentMs = this.#lastMessageMs;
    if (this.#lastError !== null) log.info({ notifier: notifier.name }, "a notifier takes messages again");
    this.#lastError = null;
    return true;
  }

  #noteFailure(error: unknown, batch: readonly Notice[]): boolean {
    const { notifier, log } = this.#parts;
    const isRefused = error instanceof NotifierRefusalError;
    const reason = describeError(error).slice(0, 300);
    this.#failures += 1;
    if (this.#lastError === null || isRefused)
      log.warn({ notifier: notifier.name, err: reason, notices: batch.length }, "a notifier could not be told");
    this.#lastError = reason;
    if (isRefused) {
      this.#forget(batch);
      this.#dropped += batch.length;
    }
    return isRefused;
  }

  /** Removes what was sent, unless a newer notice has replaced it meanwhile. */
  #forget(batch: readonly Notice[]): void {
    for (const notice of batch) if (this.#waiting.get(notice.key) === notice) this.#waiting.delete(notice.key);
  }
}
