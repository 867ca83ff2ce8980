import { Composer } from "./composition.ts";
import { type Dispatch, dispatchLoad, loadBlocksOf } from "./dispatch-load.ts";
import { evaluatePlan, type FleetSchedule } from "./evaluate-plan.ts";
import type { PlanClass, PlanProblem, PlanUnit, UnitStart } from "./plan-problem.ts";
import { off, type UnitSchedule, type UnitWalk, untouchedSchedule, walkSchedule } from "./unit-schedule.ts";

/** Units of a class with the same past and the same schedule. */
interface Group {
  readonly classIndex: number;
  readonly start: UnitStart;
  readonly schedule: UnitSchedule;
  readonly walk: UnitWalk;
  /** Places of its units in the class. */
  units: number[];
}

interface Move {
  readonly from: Group;
  readonly count: number;
  readonly schedule: UnitSchedule;
  readonly walk: UnitWalk;
  readonly savedUsd: number;
}

const keyOf = (classIndex: number, start: UnitStart, schedule: UnitSchedule) =>
  `${classIndex}|${JSON.stringify(start)}|${schedule.join()}`;

interface Descent {
  readonly plan: FleetSchedule;
  readonly usd: number;
  /** Number of schedules that were tried. */
  readonly trials: number;
}

/**
 * Descends from a plan: repeatedly gives a number of equal units another schedule, one stretch of steps in another mode, or off, whichever
 * saves most. Ends when nothing saves any more or after `maxTrials` trials.
 */
function descend(problem: PlanProblem, maxTrials: number, from: FleetSchedule): Descent {
  const { classes, steps } = problem;
  const loadBlocks = loadBlocksOf(problem);
  const blockCount = loadBlocks.blocks.length;
  const carried = Array.from({ length: steps }, () => new Float64Array(blockCount));
  const settled = Array.from({ length: steps }, () => new Float64Array(blockCount));
  const stepUsd = new Float64Array(steps);
  const dispatch: Dispatch = { usd: 0, shortfallQps: 0, uncoveredQps: 0 };
  const groups = new Map<string, Group>();
  let trials = 0;

  /** Adds `count` units with this schedule to a step's figures; a negative count takes them away. */
  const add = (classIndex: number, schedule: UnitSchedule, walk: UnitWalk, step: number, count: number) => {
    const mode = schedule[step] as number;
    if (mode === off) return;
    const block = (loadBlocks.firstOfClass[classIndex] as number) + mode;
    const qps = walk.carriedQps[step] as number;
    const carriedOfStep = carried[step] as Float64Array;
    carriedOfStep[block] = (carriedOfStep[block] as number) + count * qps;
    if (qps !== loadBlocks.blocks[block]?.mode.carriedQps) return;
    const ofStep = settled[step] as Float64Array;
    ofStep[block] = (ofStep[block] as number) + count;
  };
  const costOf = (step: number) => {
    dispatchLoad(problem, loadBlocks, step, carried[step] as Float64Array, settled[step] as Float64Array, dispatch);
    return dispatch.usd;
  };
  const join = (classIndex: number, start: UnitStart, schedule: UnitSchedule, walk: UnitWalk, units: number[]) => {
    const key = keyOf(classIndex, start, schedule);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { classIndex, start, schedule, walk, units });
    else group.units = [...group.units, ...units];
  };

  for (const [classIndex, unitClass] of classes.entries()) {
    const alike = new Map<string, { start: UnitStart; schedule: UnitSchedule; units: number[] }>();
    for (const [place, { start }] of (unitClass.units as readonly PlanUnit[]).entries()) {
      const schedule = from[classIndex]?.[place] as UnitSchedule;
      const key = keyOf(classIndex, start, schedule);
      const same = alike.get(key);
      if (same === undefined) alike.set(key, { start, schedule, units: [place] });
      else same.units.push(place);
    }
    for (const { start, schedule, units } of alike.values()) {
      const walk = walkSchedule(unitClass, start, schedule);
      if (walk === null) throw new Error("the search was to begin with an impossible schedule. This is a bug.");
      join(classIndex, start, schedule, walk, units);
      for (let step = 0; step < steps; step += 1) add(classIndex, schedule, walk, step, units.length);
    }
  }
  for (let step = 0; step < steps; step += 1) stepUsd[step] = costOf(step);

  /** Amount that is saved when `count` units of the group follow another schedule. */
  const savedBy = (from: Group, count: number, schedule: UnitSchedule, walk: UnitWalk): number => {
    let saved = count * (from.walk.usd - walk.usd);
    for (let step = 0; step < steps; step += 1) {
      const same = from.schedule[step] === schedule[step] && from.walk.carriedQps[step] === walk.carriedQps[step];
      if (same) continue;
      const ofStep = settled[step] as Float64Array;
      const carriedOfStep = carried[step] as Float64Array;
      const first = loadBlocks.firstOfClass[from.classIndex] as number;
      const [left, entered] = [first + (from.schedule[step] as number), first + (schedule[step] as number)];
      const before = [ofStep[left], carriedOfStep[left], ofStep[entered], carriedOfStep[entered]];
      add(from.classIndex, from.schedule, from.walk, step, -count);
      add(from.classIndex, schedule, walk, step, count);
      saved += (stepUsd[step] as number) - costOf(step);
      // Put back as it was: what is added and taken away again is not quite the same.
      if (from.schedule[step] !== off) [ofStep[left], carriedOfStep[left]] = [before[0] as number, before[1] as number];
      if (schedule[step] !== off)
        [ofStep[entered], carriedOfStep[entered]] = [before[2] as number, before[3] as number];
    }
    return saved;
  };

  const bestMoveOf = (from: Group, size: number): Move | null => {
    const unitClass = classes[from.classIndex] as PlanClass;
    const count = Math.min(size, from.units.length);
    let best: Move | null = null;
    for (let value = off; value < unitClass.modes.length; value += 1) {
      for (let begin = 0; begin < steps; begin += 1) {
        if (from.schedule[begin] === value) continue;
        for (let end = steps; end > begin; end -= 1) {
          if (from.schedule[end - 1] === value && end - 1 > begin) continue;
          const schedule = from.schedule.with(begin, value).fill(value, begin, end);
          const walk = walkSchedule(unitClass, from.start, schedule);
          trials += 1;
          if (walk === null) continue;
          const savedUsd = savedBy(from, count, schedule, walk);
          if (savedUsd > (best?.savedUsd ?? 1e-12)) best = { from, count, schedule, walk, savedUsd };
        }
      }
    }
    return best;
  };

  const make = ({ from, count, schedule, walk }: Move) => {
    const moved = from.units.slice(0, count);
    from.units = from.units.slice(count);
    if (from.units.length === 0) groups.delete(keyOf(from.classIndex, from.start, from.schedule));
    join(from.classIndex, from.start, schedule, walk, moved);
    for (let step = 0; step < steps; step += 1) {
      add(from.classIndex, from.schedule, from.walk, step, -count);
      add(from.classIndex, schedule, walk, step, count);
      stepUsd[step] = costOf(step);
    }
  };

  let size = Math.max(1, ...classes.map(({ units }) => units.length));
  while (trials < maxTrials) {
    let best: Move | null = null;
    for (const group of groups.values()) {
      if (trials >= maxTrials) break;
      // A large move of a small group was tried when the size was its own.
      const move = bestMoveOf(group, size);
      if (move !== null && move.savedUsd > (best?.savedUsd ?? 0)) best = move;
    }
    if (best !== null) make(best);
    else if (size === 1) break;
    else size = Math.floor(size / 2);
  }

  const plan = classes.map(({ units }) => new Array<UnitSchedule>(units.length));
  let usd = stepUsd.reduce((sum, each) => sum + each, 0);
  for (const { classIndex, schedule, walk, units } of groups.values()) {
    usd += walk.usd * units.length;
    for (const place of units) (plan[classIndex] as UnitSchedule[])[place] = schedule;
  }
  return { plan, usd, trials };
}

/** Lists the schedules that a unit can be put back to: as it is, on standby as soon as possible, or serving in each of the modes. */
function extremeSchedules({ modes, startupSteps, minOnSteps }: PlanClass, start: UnitStart, steps: number): number[][] {
  const untouched = untouchedSchedule(start, steps);
  const servesAt = start.kind === "on" ? 0 : start.kind === "starting" ? start.arrivesAt : start.stays + startupSteps;
  const mayStopAt =
    start.kind === "on" ? start.stays : servesAt + (start.kind === "starting" ? Math.max(1, minOnSteps) : 0);
  return [
    untouched,
    untouched.map((mode, step) => (step < mayStopAt ? mode : off)),
    ...modes.map((_, mode) => Array.from({ length: steps }, (_, step) => (step >= servesAt ? mode : off))),
  ];
}

/**
 * Returns the best steady plan: the cheapest units for the step that needs most serve throughout, those that serve already first, and the
 * others stand by as soon as they may.
 */
function steadyStart(problem: PlanProblem, extremes: readonly (readonly number[][][])[]): FleetSchedule {
  const { classes, demandQps, coverQps } = problem;
  if (classes.length === 0) return [];
  const composer = new Composer({
    ...problem,
    groups: classes.length,
    blocks: classes.flatMap(({ kind, modes, offUsd }, group) =>
      modes.map(({ carriedQps, idleUsd, usdPerQps }, mode) => ({
        group,
        mode,
        isDevice: kind === "device",
        carriedQps,
        fullQps: carriedQps,
        secureUtilization: 1,
        idleUsd: idleUsd - offUsd,
        usdPerQps,
      })),
    ),
  });
  const maxUnits = classes.map(({ units }) => units.length);
  const need = {
    expectedQps: Math.max(...demandQps),
    coverQps: Math.max(...coverQps),
    minUnits: maxUnits.map(() => 0),
    maxUnits,
  };
  const chosen = composer.cheapest(need, null);
  return classes.map((unitClass, index) => {
    const { units } = unitClass;
    const left = (composer.places[index] as number[]).map((place) => ({
      mode: composer.blocks[place]?.mode ?? 0,
      count: chosen[place] as number,
    }));
    const schedules = new Array<UnitSchedule>(units.length);
    const ready = { on: 0, starting: 1, off: 2 } as const;
    const isIn = ({ start }: PlanUnit) =>
      start.kind === "on" && left.some(({ mode, count }) => mode === start.mode && count > 0);
    const inOrder = [...units.keys()].sort((a, b) => {
      const [first, second] = [units[a] as PlanUnit, units[b] as PlanUnit];
      return ready[first.start.kind] - ready[second.start.kind] || Number(isIn(second)) - Number(isIn(first)) || a - b;
    });
    for (const place of inOrder) {
      const { start } = units[place] as PlanUnit;
      const open =
        left.find(({ mode, count }) => count > 0 && start.kind === "on" && mode === start.mode) ??
        left.find(({ count }) => count > 0);
      if (open !== undefined) open.count -= 1;
      const own = extremes[index]?.[place] as readonly UnitSchedule[];
      const wanted = own[open === undefined ? 1 : 2 + open.mode] as UnitSchedule;
      // A unit that has to leave its mode at once is still switching when it could stop.
      schedules[place] = walkSchedule(unitClass, start, wanted) === null ? (own[0] as UnitSchedule) : wanted;
    }
    return schedules;
  });
}

/**
 * Plans without a solver, by descents: from `from`, or from the best steady fleet, the fleet left as it is and everything on; then from the
 * best plan with one class after the other put back to one of its extremes. Ends when a round of that saves nothing or after `maxTrials` trials. The same
 * input gives the same plan.
 */
export function planBySearch(problem: PlanProblem, maxTrials: number, from?: FleetSchedule): FleetSchedule {
  const { classes, steps } = problem;
  const extremes = classes.map((unitClass) =>
    unitClass.units.map(({ start }) => extremeSchedules(unitClass, start, steps)),
  );
  const put = (index: number, extreme: number) =>
    (extremes[index] as number[][][]).map((ofUnit) => ofUnit[extreme] as UnitSchedule);
  const mostCapable = classes.map(
    ({ modes }) =>
      2 + modes.reduce((best, { carriedQps }, mode) => (carriedQps > (modes[best]?.carriedQps ?? 0) ? mode : best), 0),
  );
  let trials = 0;
  const descendFrom = (start: FleetSchedule) => {
    const descent = descend(problem, maxTrials - trials, start);
    trials += descent.trials;
    return descent;
  };
  const starts =
    from === undefined
      ? [
          steadyStart(problem, extremes),
          classes.map((_, index) => put(index, 0)),
          classes.map((_, index) => put(index, mostCapable[index] as number)),
        ]
      : [from];
  let best = starts.map(descendFrom).reduce((a, b) => (b.usd < a.usd ? b : a));
  for (let saved = true; saved && trials < maxTrials; ) {
    saved = false;
    for (const [index, { modes }] of classes.entries()) {
      for (let extreme = 0; extreme < 2 + modes.length && trials < maxTrials; extreme += 1) {
        const start = best.plan.with(index, put(index, extreme));
        if (evaluatePlan(problem, start) === null) continue;
        const descent = descendFrom(start);
        if (descent.usd >= best.usd * (1 - 1e-9)) continue;
        best = descent;
        saved = true;
      }
    }
  }
  return best.plan;
}
