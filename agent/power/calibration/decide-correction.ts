import type { PowerModeProfile } from "#protocol/messages.ts";

/** Factors that make a mode's calibrated figures agree with what is observed in service. */
export interface ModeCorrection {
  readonly capacity: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
}

export const uncorrected: ModeCorrection = { capacity: 1, busyWatts: 1, idleWatts: 1 };

/** Minute of service, spent in one mode from end to end. */
export interface ObservedMinute {
  /** Texts per second. */
  readonly qps: number;
  readonly requests: number;
  /** Null without requests. */
  readonly p95Ms: number | null;
  /** Mean input power; null where too little of the minute has readings. */
  readonly meanWatts: number | null;
}

/** Share of the way to the minute's evidence by which one minute moves a factor: half of a lasting change is learnt within 40 minutes. */
const step = 1 / 60;
/** Bounds of every factor: a larger difference needs a new calibration, not a correction. */
export const correctionBounds = { lowest: 0.7, highest: 1.3 } as const;
/** The p95 of fewer requests is chance. */
const minRequests = 100;
/** Below half of capacity, slowness has another cause (a model load, another process). */
const minUtilizationOfLateness = 0.5;
/** Utilisation up to which a minute's power is evidence for the idle figure, and from which on for the busy figure. */
const maxIdleUtilization = 0.02;
const minBusyUtilization = 0.3;

const bounded = (factor: number) => Math.min(correctionBounds.highest, Math.max(correctionBounds.lowest, factor));
const isPositive = (figure: number | null): figure is number => Number(figure) > 0;
const towards = (factor: number, target: number) => bounded(factor + step * (bounded(target) - factor));

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
 * Corrects a mode's figures by a minute of service. Capacity: a higher rate that was served in time raises it, a lower rate that was
 * late lowers it. Power: idle minutes correct the idle figure, busy ones the busy figure at their utilisation. Slow and bounded, so
 * that no odd hour spoils what was measured with care.
 * @param mode as calibrated
 */
export function decideCorrection(
  mode: PowerModeProfile,
  before: ModeCorrection,
  minute: ObservedMinute,
  targetP95Ms: number,
): ModeCorrection {
  const { qps, requests, p95Ms, meanWatts } = minute;
  if (!isPositive(mode.capacityQps)) return before;
  let { capacity, busyWatts, idleWatts } = before;
  const capacityQps = mode.capacityQps * capacity;
  const utilization = Math.min(1, qps / capacityQps);
  if (p95Ms !== null && requests >= minRequests) {
    const inTime = p95Ms <= targetP95Ms;
    const isLower = !inTime && utilization < 1 && utilization >= minUtilizationOfLateness;
    if ((inTime && utilization === 1) || isLower) capacity = towards(capacity, qps / mode.capacityQps);
  }
  if (isPositive(meanWatts) && isPositive(mode.idleWatts)) {
    if (utilization <= maxIdleUtilization) idleWatts = towards(idleWatts, meanWatts / mode.idleWatts);
    else if (utilization >= minBusyUtilization && isPositive(mode.busyWatts)) {
      const idle = mode.idleWatts * idleWatts;
      busyWatts = towards(busyWatts, (idle + (meanWatts - idle) / utilization) / mode.busyWatts);
    }
  }
  return { capacity, busyWatts, idleWatts };
}
