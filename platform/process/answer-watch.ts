/** Watch for another process' answers, one after another, that reports one that takes too long. */
export interface AnswerWatch {
  /** Begins to wait for an answer that may take `limitMs`; ends an earlier wait. */
  begin(limitMs: number): void;
  /** Ends the wait. */
  end(): void;
  /** Returns true when the expected answer has taken more than half of its time. */
  late(): boolean;
  stop(): void;
}

/** Ticks in a limit: an answer is given up at most one tick too late. */
const ticksPerLimit = 10;
const minTickMs = 20;
const maxTickMs = 1_000;

/** Returns a tick for limits of `shortestLimitMs` and longer. */
export const tickFor = (shortestLimitMs: number): number =>
  Math.min(maxTickMs, Math.max(minTickMs, shortestLimitMs / ticksPerLimit));

/**
 * Counts only time in which this process itself ran: after it was suspended, stopped or held up, the other process, which may have been so
 * too, has lost at most two ticks of its time. Jumps of the clock count no more than that.
 */
export function createAnswerWatch(options: {
  readonly tickMs: number;
  /** Called when the answer did not come; the wait is over then. */
  readonly onSilent: (waitedMs: number) => void;
  /** Called at each tick while no answer is expected, with the time since the last one. */
  readonly onIdle?: (idleMs: number) => void;
  readonly onTick?: () => void;
  /** Tells that the other process is paused: such ticks take none of its time. */
  readonly isPaused?: () => boolean;
  /** A monotonic clock. */
  readonly nowMs?: () => number;
}): AnswerWatch {
  const { tickMs, onSilent, onIdle, onTick, isPaused, nowMs = () => performance.now() } = options;
  let limitMs: number | null = null;
  let countedMs = 0;
  let lastMs = nowMs();
  const timer = setInterval(() => {
    const now = nowMs();
    if (isPaused?.() !== true) countedMs += Math.min(Math.max(0, now - lastMs), 2 * tickMs);
    lastMs = now;
    onTick?.();
    if (limitMs === null) return onIdle?.(countedMs);
    if (countedMs < limitMs) return;
    limitMs = null;
    onSilent(countedMs);
  }, tickMs);
  timer.unref();
  return {
    begin(limit) {
      limitMs = limit;
      countedMs = 0;
      lastMs = nowMs();
    },
    end() {
      if (limitMs === null) return;
      limitMs = null;
      countedMs = 0;
    },
    late: () => limitMs !== null && countedMs > limitMs / 2,
    stop: () => clearInterval(timer),
  };
}
