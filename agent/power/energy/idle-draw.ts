/** A minute that was spent in one mode from end to end. */
export interface SteadyMinute {
  readonly modeId: number;
  /** Milliseconds in which models computed. */
  readonly computeMs: number;
  /** Mean input power; null where too little of the minute was measured. */
  readonly meanWatts: number | null;
}

/** What the board draws in each mode with nothing to do, as seen in service: for boards that nobody has calibrated. */
export interface IdleDraw {
  observe(minute: SteadyMinute): void;
  /** Null while no minute without computation was seen in the mode. */
  watts(modeId: number): number | null;
}

/** A minute moves the figure by this share of the way: an odd one hardly shows, a lasting change is taken in within half an hour. */
const step = 1 / 8;

export function createIdleDraw(): IdleDraw {
  const seen = new Map<number, number>();
  return {
    observe({ modeId, computeMs, meanWatts }) {
      if (computeMs > 0 || meanWatts === null || !(meanWatts > 0)) return;
      const before = seen.get(modeId) ?? meanWatts;
      seen.set(modeId, before + step * (meanWatts - before));
    },
    watts: (modeId) => seen.get(modeId) ?? null,
  };
}
