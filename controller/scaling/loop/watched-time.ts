import type { PeakAt } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { Logger } from "#platform/log.ts";
import type { ScalingConfig } from "./scaling-config.ts";

/** A gap of this many intervals between two rounds is a jump of the clock, or a time in which the process stood still. */
const jumpIntervals = 3;

/** Time for which the controller has listened to its fleet, and the peaks that it saw in it. The warm-up begins when it is created. */
export class WatchedTime {
  readonly #config: Pick<ScalingConfig, "intervalMs" | "warmUpMs" | "stabilizationMs">;
  readonly #staleAfterMs: number;
  readonly #log: Logger;
  #startedMs: number;
  /** Time since which peaks have been recorded without a gap. */
  #observedSinceMs: number;
  #recentPeaks: PeakAt[] = [];

  constructor(
    config: Pick<ScalingConfig, "intervalMs" | "warmUpMs" | "stabilizationMs">,
    staleAfterMs: number,
    nowMs: number,
    log: Logger,
  ) {
    this.#config = config;
    this.#staleAfterMs = staleAfterMs;
    this.#log = log;
    this.#startedMs = nowMs;
    this.#observedSinceMs = nowMs;
  }

  get warmUpEndsMs(): number {
    return this.#startedMs + this.#config.warmUpMs;
  }

  get observedSinceMs(): number {
    return this.#observedSinceMs;
  }

  /** Returns the peaks of the stabilisation time before `nowMs`, and forgets older ones. */
  recentPeaks(nowMs: number): readonly PeakAt[] {
    const sinceMs = nowMs - this.#config.stabilizationMs;
    this.#recentPeaks = this.#recentPeaks.filter(({ atMs }) => atMs >= sinceMs && atMs <= nowMs);
    return this.#recentPeaks;
  }

  addPeak(peak: PeakAt): void {
    this.#recentPeaks.push(peak);
  }

  /**
   * Corrects what rests on the clock after it has jumped, or this process stood still: neither may stretch the warm-up nor count as watched
   * minutes. The fleet then has to be heard of again: the first agents to report must not make the others count as gone.
   * @param lastRoundMs null: this is the first round
   */
  heal(nowMs: number, lastRoundMs: number | null): void {
    this.#startedMs = Math.min(this.#startedMs, nowMs);
    const sinceLastMs = lastRoundMs === null ? 0 : nowMs - lastRoundMs;
    const wentBack = sinceLastMs < 0;
    const maxGapMs = jumpIntervals * this.#config.intervalMs;
    if (wentBack || sinceLastMs > maxGapMs) this.#observedSinceMs = nowMs;
    if (wentBack || sinceLastMs > Math.max(maxGapMs, this.#staleAfterMs)) {
      this.#startedMs = nowMs;
      const jumpS = Math.round(sinceLastMs / 1000);
      this.#log.warn(
        { jumpS },
        "the clock jumped, or this controller stood still: it listens to the fleet again first",
      );
    }
  }
}
