/** Minute spent in one mode from end to end. */
export interface SteadyMinute {
  readonly modeId: number;
  /** Compute time of all models. */
  readonly computeMs: number;
  /** Mean input power; null where too little of the minute was measured. */
  readonly meanWatts: number | null;
}

/** Learns the idle draw of each mode in service, for boards without calibration. */
export type IdleDraw = ReturnType<typeof createIdleDraw>;

/** Share of the way by which a minute moves the figure: an odd minute hardly shows, a lasting change is learnt within half an hour. */
const step = 1 / 8;

export function createIdleDraw() {
  const seen = new Map<number, number>();
  return {
    observe({ modeId, computeMs, meanWatts }: SteadyMinute) {
      if (computeMs > 0 || meanWatts === null || !(meanWatts > 0)) return;
      const before = seen.get(modeId) ?? meanWatts;
      seen.set(modeId, before + step * (meanWatts - before));
    },
    /** Returns the idle draw; null before the first minute without computation in the mode. */
    watts: (modeId: number): number | null => seen.get(modeId) ?? null,
  };
}
