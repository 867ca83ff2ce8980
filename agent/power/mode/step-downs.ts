import { doublingDelayMs } from "#platform/doubling-delay.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { costlyStepMs } from "./choose-by-felt-load.ts";
import type { FeltLoad } from "./felt-load.ts";

const firstHoldOffMs = 10 * minuteMs;
const maxHoldOffMs = 6 * hourMs;

/** Remembers when the SLO was missed and which steps down cost it, so that they are not repeated at once. */
export class StepDowns {
  #missedAtMs: number | null = null;
  #last: { readonly fromModeId: number; readonly atMs: number } | null = null;
  #heldOffUntilMs: number | null = null;
  #failedInRow = 0;
  #failed = 0;

  /** Steps down that cost the SLO, since the start. */
  get failed(): number {
    return this.#failed;
  }

  memory(): Pick<FeltLoad, "missedAtMs" | "stepDown" | "heldOffUntilMs"> {
    return { missedAtMs: this.#missedAtMs, stepDown: this.#last, heldOffUntilMs: this.#heldOffUntilMs };
  }

  noteMissed(nowMs: number): void {
    this.#missedAtMs = nowMs;
  }

  /** Notes that users did well: a step down that they did not notice for a while was right. */
  noteKept(nowMs: number): void {
    if (this.#last === null || nowMs - this.#last.atMs <= costlyStepMs) return;
    this.#last = null;
    this.#failedInRow = 0;
  }

  /** @param fromModeId mode before a step down that saves power; null: any other switch */
  noteSwitch(fromModeId: number | null, nowMs: number): void {
    this.#last = fromModeId === null ? null : { fromModeId, atMs: nowMs };
  }

  /** Notes that the last step down cost the SLO. Returns the time for which no other is made: twice as long each time. */
  noteFailed(nowMs: number): number {
    this.#failed += 1;
    this.#failedInRow += 1;
    this.#last = null;
    const holdOffMs = doublingDelayMs(this.#failedInRow, firstHoldOffMs, maxHoldOffMs);
    this.#heldOffUntilMs = nowMs + holdOffMs;
    return holdOffMs;
  }
}
