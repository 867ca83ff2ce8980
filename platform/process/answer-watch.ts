/** Waits for another process's answers, one after another, and says when one takes too long. */
export interface AnswerWatch {
  /** Begins to wait for an answer that may take `limitMs`; a wait before it is over. */
  begin(limitMs: number): void;
  /** Nothing is waited for from now on. */
  end(): void;
  /** The answer that is waited for has taken more than half of its time. */
  late(): boolean;
  stop(): void;
}

/** So many ticks a limit: an answer is given up that much later than it could be, at most. */
const ticksPerLimit = 10;
const shortestTickMs = 20;
const longestTickMs = 1_000;

/** A tick that suits limits of `shortestLimitMs` and longer. */
export const tickFor = (shortestLimitMs: number): number =>
  Math.min(longestTickMs, Math.max(shortestTickMs, shortestLimitMs / ticksPerLimit));

/**
 * Counts only time in which this process ran itself: after it was suspended, stopped or held up, the others, which may have been so too,
 * have all of their time left but two ticks of it. The clock's jumps don't count either.
 */
export function createAnswerWatch(options: {
  readonly tickMs: number;
  /** The answer did not come; nothing is waited for after it. */
  readonly onSilent: (waitedMs: number) => void;
  /** Told at each tick while nothing is waited for, and for how long that has been so. */
  readonly onIdle?: (idleMs: number) => void;
  /** Told at each tick. */
  readonly onTick?: () => void;
  /** A monotonous clock. */
  readonly nowMs?: () => number;
}): AnswerWatch {
  const { tickMs, onSilent, onIdle, onTick, nowMs = () => performance.now() } = options;
  let limitMs: number | null = null;
  let countedMs = 0;
  let lastMs = nowMs();
  const timer = setInterval(() => {
    const now = nowMs();
    countedMs += Math.min(Math.max(0, now - lastMs), 2 * tickMs);
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
