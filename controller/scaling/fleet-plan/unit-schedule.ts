import type { PlanClass, PlanMode, UnitStart } from "./plan-problem.ts";

/** Schedule of one unit: in each step the place of its mode, or {@link off}. A unit that starts is off until it serves. */
export type UnitSchedule = readonly number[];

export const off = -1;

/** Cost and events of a unit's schedule. */
export interface UnitWalk {
  /** Cost without that of its load. */
  readonly usd: number;
  /** Steps at which it is ordered to start. */
  readonly orders: readonly number[];
  /** Steps at which it changes its mode. */
  readonly switches: readonly number[];
  /** Rate that it can carry in each step: its mode's, less the loss by a switch. */
  readonly carriedQps: readonly number[];
}

/** Returns the schedule of a unit that is left as it is; one whose mode may not be used switches to the first that may. */
export function untouchedSchedule(start: UnitStart, steps: number): number[] {
  if (start.kind === "off") return new Array<number>(steps).fill(off);
  if (start.kind === "on") return new Array<number>(steps).fill(start.mode ?? 0);
  return Array.from({ length: steps }, (_, step) => (step >= start.arrivesAt ? 0 : off));
}

/**
 * Follows a unit through its schedule. Null when the schedule breaks a rule: a start takes its time, serving and standby last for their
 * minimum, a switch is finished before the next change.
 */
export function walkSchedule(unitClass: PlanClass, start: UnitStart, schedule: UnitSchedule): UnitWalk | null {
  const { modes, startupSteps, minOnSteps, minOffSteps, switchLoss } = unitClass;
  const steps = schedule.length;
  let usd = 0;
  const orders: number[] = [];
  const switches: number[] = [];
  const carriedQps = new Array<number>(steps).fill(0);
  let mode: number | null = start.kind === "on" ? start.mode : off;
  /** First step in which it may stop, or be ordered to start. */
  let freeAt = start.kind === "starting" ? start.arrivesAt : start.stays;
  let switchedAt = Number.NEGATIVE_INFINITY;
  let offSteps = 0;
  for (let step = 0; step < steps; step += 1) {
    const next = schedule[step] as number;
    if (next === off) {
      if (mode !== off) {
        if (step < freeAt || step - switchedAt < switchLoss.length) return null;
        freeAt = step + minOffSteps;
        mode = off;
      } else if (start.kind === "starting" && step === start.arrivesAt) return null;
      offSteps += 1;
      continue;
    }
    if (mode === off) {
      const arrives = start.kind === "starting" && orders.length === 0 && offSteps === step;
      if (arrives) {
        if (step !== start.arrivesAt) return null;
        usd += step * unitClass.startingUsd;
        offSteps = 0;
      } else {
        const order = step - startupSteps;
        if (order < freeAt || order < 0) return null;
        orders.push(order);
        usd += unitClass.startUsd + startupSteps * unitClass.startingUsd;
        offSteps -= startupSteps;
      }
      freeAt = step + minOnSteps;
      switchedAt = Number.NEGATIVE_INFINITY;
    } else if (next !== mode) {
      if (step - switchedAt < switchLoss.length) return null;
      switches.push(step);
      switchedAt = step;
      usd += (modes[next] as PlanMode).switchUsd;
    }
    mode = next;
    const { carriedQps: full, idleUsd } = modes[next] as PlanMode;
    usd += idleUsd;
    carriedQps[step] = full * (1 - (switchLoss[step - switchedAt] ?? 0));
  }
  const startsAll = start.kind === "starting" && start.arrivesAt >= steps;
  usd += startsAll ? steps * unitClass.startingUsd : offSteps * unitClass.offUsd;
  return { usd, orders, switches, carriedQps };
}
