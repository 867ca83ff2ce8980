import type { ClassCounts } from "./milp/plan-milp.ts";
import type { PlanClass } from "./plan-problem.ts";
import { off, type UnitSchedule } from "./unit-schedule.ts";

interface UnitState {
  readonly schedule: number[];
  mode: number | null;
  /** Step from which it serves, when it starts. */
  arrivesAt: number | null;
  /** First step in which it may stop, or be ordered to start. */
  freeAt: number;
  /** First step in which its mode may change again. */
  settledAt: number;
}

/**
 * Assigns counts to units, so that in each step as many serve in each mode as the counts say. Units that serve go on, in their mode, as far
 * as possible. Where no unit may stop or switch that should, the one that must stay stays.
 */
export function assignUnits(unitClass: PlanClass, { on, arrivals }: ClassCounts, steps: number): UnitSchedule[] {
  const { startupSteps, minOnSteps, minOffSteps, switchLoss } = unitClass;
  const units = unitClass.units.map(({ start }): UnitState => {
    const common = { schedule: [], settledAt: 0 };
    if (start.kind === "on") return { ...common, mode: start.mode, arrivesAt: null, freeAt: start.stays };
    if (start.kind === "off") return { ...common, mode: off, arrivesAt: null, freeAt: start.stays };
    return { ...common, mode: off, arrivesAt: start.arrivesAt, freeAt: 0 };
  });
  for (let step = 0; step < steps; step += 1) {
    const target = on.map((ofMode) => ofMode[step] as number);
    const counts = target.map(() => 0);
    const arriving = new Set<UnitState>();
    let serving = 0;
    for (const unit of units) {
      if (unit.arrivesAt === step) arriving.add(unit);
      else if (unit.mode !== off) {
        serving += 1;
        if (unit.mode !== null) counts[unit.mode] = (counts[unit.mode] as number) + 1;
      }
    }
    const ordered = startupSteps === 0 ? (arrivals[step] as number) : 0;
    const surplusOf = (unit: UnitState) =>
      unit.mode === null ? 1 : (counts[unit.mode] as number) - (target[unit.mode] as number);
    let stops = Math.max(0, serving + arriving.size + ordered - target.reduce((sum, count) => sum + count, 0));
    // Units in modes with too many first, the last of the list first.
    for (const anyMode of [false, true]) {
      for (let place = units.length - 1; place >= 0 && stops > 0; place -= 1) {
        const unit = units[place] as UnitState;
        if (unit.mode === off || unit.freeAt > step || unit.settledAt > step) continue;
        if (!anyMode && surplusOf(unit) <= 0) continue;
        if (unit.mode !== null) counts[unit.mode] = (counts[unit.mode] as number) - 1;
        unit.mode = off;
        unit.freeAt = step + (startupSteps === 0 ? Math.max(1, minOffSteps) : minOffSteps);
        stops -= 1;
      }
    }
    let orders = arrivals[step + startupSteps] ?? 0;
    for (const unit of units) {
      if (orders === 0) break;
      if (unit.mode !== off || unit.arrivesAt !== null || unit.freeAt > step) continue;
      unit.arrivesAt = step + startupSteps;
      if (startupSteps === 0) arriving.add(unit);
      orders -= 1;
    }
    const lacking = () => target.findIndex((count, mode) => (counts[mode] as number) < count);
    const enter = (unit: UnitState, mode: number) => {
      counts[mode] = (counts[mode] as number) + 1;
      unit.mode = mode;
    };
    for (const unit of arriving) {
      enter(unit, Math.max(0, lacking()));
      unit.arrivesAt = null;
      unit.freeAt = step + minOnSteps;
      unit.settledAt = 0;
    }
    for (const unit of units) {
      if (unit.mode === off || unit.settledAt > step || surplusOf(unit) <= 0 || arriving.has(unit)) continue;
      const mode = lacking();
      if (mode < 0 && unit.mode !== null) continue;
      if (unit.mode !== null) counts[unit.mode] = (counts[unit.mode] as number) - 1;
      enter(unit, Math.max(0, mode));
      unit.settledAt = step + switchLoss.length;
    }
    for (const unit of units) unit.schedule.push(unit.mode ?? 0);
  }
  return units.map(({ schedule }) => schedule);
}
