/** Minute of service that is over. */
export interface ServedMinute {
  /** Texts per second that needed capacity: computed, or refused for want of it. */
  readonly qps: number;
  /** Null without requests. */
  readonly p95Ms: number | null;
  /** Null where the modes' figures name no target. */
  readonly targetP95Ms: number | null;
}

/** Mode in use, as a minute is judged by it. */
export interface HeldMode {
  readonly capacityQps: number | null;
  /** False while an operator, the controller, heat or the role decides the mode: that is no evidence about the policy. */
  readonly chosen: boolean;
}

/** Detects minutes whose demand exceeded the modes that the policy chose. */
export interface ModeWatch {
  note(held: HeldMode): void;
  /** Ends a minute. Returns true when a mode in use was too small, null when the minute is no evidence. */
  close(minute: ServedMinute): boolean | null;
}

/** Share of capacity from which on a mode counts as full. */
const fullFrom = 0.97;

/**
 * A mode was too small when it was full, or when the p95 was late at more than the target utilisation (at less, lateness has other causes).
 */
export function createModeWatch(targetUtilization: number): ModeWatch {
  let held: HeldMode | null = null;
  let minCapacityQps = Number.POSITIVE_INFINITY;
  let chosen = true;

  const include = ({ capacityQps, chosen: own }: HeldMode) => {
    minCapacityQps = Math.min(minCapacityQps, capacityQps ?? Number.NaN);
    chosen &&= own;
  };

  return {
    note(now) {
      held = now;
      include(now);
    },
    close({ qps, p95Ms, targetP95Ms }) {
      const capacityQps = minCapacityQps;
      const teaches = chosen && held !== null && Number.isFinite(capacityQps);
      minCapacityQps = Number.POSITIVE_INFINITY;
      chosen = true;
      if (held !== null) include(held);
      if (!teaches) return null;
      const late = p95Ms !== null && targetP95Ms !== null && p95Ms > targetP95Ms;
      return qps >= fullFrom * capacityQps || (late && qps > targetUtilization * capacityQps);
    },
  };
}
