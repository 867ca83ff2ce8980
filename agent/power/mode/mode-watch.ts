/** A minute of service as it went. */
export interface ServedMinute {
  /** Texts a second. */
  readonly qps: number;
  /** Null without requests. */
  readonly p95Ms: number | null;
  /** Null where the modes' figures name no target. */
  readonly targetP95Ms: number | null;
}

/** The mode that is held, as a minute is judged by it. */
export interface HeldMode {
  readonly capacityQps: number | null;
  /** False while an operator, the controller, heat or the role says what is held: that teaches the policy nothing. */
  readonly chosen: boolean;
}

/** Watches whether the modes that the policy chose carried what came. */
export interface ModeWatch {
  note(held: HeldMode): void;
  /** Ends a minute: whether some mode held in it was too small; null when the minute teaches nothing. */
  close(minute: ServedMinute): boolean | null;
}

/** What is served can't exceed what is carried: so near to it the mode is full, and how much more was asked for is not known. */
const fullFrom = 0.97;

/**
 * A mode was too small when it was full, or when the minute's p95 was late while the mode was used beyond the target utilisation (at less, being late
 * has other causes).
 */
export function createModeWatch(targetUtilization: number): ModeWatch {
  let held: HeldMode | null = null;
  let leastQps = Number.POSITIVE_INFINITY;
  let chosen = true;

  const include = ({ capacityQps, chosen: own }: HeldMode) => {
    leastQps = Math.min(leastQps, capacityQps ?? Number.NaN);
    chosen &&= own;
  };

  return {
    note(now) {
      held = now;
      include(now);
    },
    close({ qps, p95Ms, targetP95Ms }) {
      const least = leastQps;
      const teaches = chosen && held !== null && Number.isFinite(least);
      leastQps = Number.POSITIVE_INFINITY;
      chosen = true;
      if (held !== null) include(held);
      if (!teaches) return null;
      const late = p95Ms !== null && targetP95Ms !== null && p95Ms > targetP95Ms;
      return qps >= fullFrom * least || (late && qps > targetUtilization * least);
    },
  };
}
