import type { PowerModeProfile } from "#protocol/messages.ts";

/** By what a mode's calibrated figures are multiplied to agree with what is seen in service. */
export interface ModeCorrection {
  readonly capacity: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
}

export const uncorrected: ModeCorrection = { capacity: 1, busyWatts: 1, idleWatts: 1 };

/** A minute of service, spent in one mode from end to end. */
export interface ObservedMinute {
  /** Texts a second. */
  readonly qps: number;
  readonly requests: number;
  /** Null without requests. */
  readonly p95Ms: number | null;
  /** Mean input power; null where too little of the minute has readings. */
  readonly meanWatts: number | null;
}

/** One minute moves a factor by this share of the way to what the minute says: half of a lasting change is taken in within 40 minutes. */
const step = 1 / 60;
/** No factor leaves these bounds: what differs by more asks for a new calibration, not for a correction. */
export const correctionBounds = { lowest: 0.7, highest: 1.3 } as const;
/** The p95 of fewer requests is chance. */
const fewestRequests = 100;
/** At less of the capacity a slow minute has other causes than the load: a model that was loaded, a neighbour. */
const capacityEvidenceFrom = 0.5;
/** Up to here the board counts as idle, from `busyFrom` on its power says something of the busy figure. */
const idleUpTo = 0.02;
const busyFrom = 0.3;

const bounded = (factor: number) => Math.min(correctionBounds.highest, Math.max(correctionBounds.lowest, factor));

function towards(factor: number, target: number): number {
  return Number.isFinite(target) ? bounded(factor + step * (bounded(target) - factor)) : factor;
}

/** A mode's figures with its correction. */
export function correctMode(
  mode: PowerModeProfile,
  { capacity, busyWatts, idleWatts }: ModeCorrection,
): PowerModeProfile {
  const times = (figure: number | null, factor: number) => (figure === null ? null : figure * factor);
  return {
    ...mode,
    capacityQps: times(mode.capacityQps, capacity),
    busyWatts: times(mode.busyWatts, busyWatts),
    idleWatts: times(mode.idleWatts, idleWatts),
  };
}

/**
 * What a minute of service says of its mode's figures. Capacity: a rate above it that was served in time raises it, one below it that was
 * not lowers it. Power: idle minutes speak of the idle figure, busy ones of the busy figure at their utilisation. Slow and bounded, so
 * that no odd hour spoils what was measured with care.
 * @param mode as calibrated.
 */
export function decideCorrection(
  mode: PowerModeProfile,
  before: ModeCorrection,
  minute: ObservedMinute,
  targetP95Ms: number,
): ModeCorrection {
  const { qps, requests, p95Ms, meanWatts } = minute;
  if (mode.capacityQps === null || mode.capacityQps <= 0) return before;
  let { capacity, busyWatts, idleWatts } = before;
  const now = mode.capacityQps * capacity;
  if (p95Ms !== null && requests >= fewestRequests) {
    const inTime = p95Ms <= targetP95Ms;
    const saysMore = inTime && qps > now;
    const saysLess = !inTime && qps < now && qps >= capacityEvidenceFrom * now;
    if (saysMore || saysLess) capacity = towards(capacity, qps / mode.capacityQps);
  }
  const utilization = Math.min(1, qps / now);
  if (meanWatts !== null && meanWatts > 0 && mode.idleWatts !== null && mode.idleWatts > 0) {
    if (utilization <= idleUpTo) idleWatts = towards(idleWatts, meanWatts / mode.idleWatts);
    else if (utilization >= busyFrom && mode.busyWatts !== null && mode.busyWatts > 0) {
      const idle = mode.idleWatts * idleWatts;
      busyWatts = towards(busyWatts, (idle + (meanWatts - idle) / utilization) / mode.busyWatts);
    }
  }
  return { capacity, busyWatts, idleWatts };
}
