import type { EvaluatedPlan, PlannedGroup } from "./evaluate-plan.ts";
import type { LeftOutDevice, PlanClass, PlanProblem } from "./plan-problem.ts";
import { unavoidableQps } from "./unavoidable-qps.ts";
import { off } from "./unit-schedule.ts";

/** A limit that a plan does not keep. */
export interface PlanShortfall {
  /** demandQps: demand is not carried; spareDevices, cover: it would not be if devices failed, or if what may come came. */
  readonly rule: "demandQps" | "spareDevices" | "cover";
  /** too-small: everything that can serve by then is on; price: carrying it would cost more; transient: until more can serve. */
  readonly why: "too-small" | "price" | "transient";
  readonly steps: readonly number[];
  /** The step that misses most, and its figures. */
  readonly worstStep: number;
  readonly missingQps: number;
  readonly ofQps: number;
  /** Rate that everything that can serve by then carries. */
  readonly maxCarriedQps: number;
}

/** A change that a plan makes: devices that start, switch or stop, or another number of cloud units. */
export type PlanChange = { readonly step: number; readonly name: string } & (
  | { readonly kind: "start"; readonly ids: readonly string[]; readonly mode: string; readonly servesFrom: number }
  | { readonly kind: "switch"; readonly ids: readonly string[]; readonly mode: string }
  | { readonly kind: "standby"; readonly ids: readonly string[] }
  | { readonly kind: "units"; readonly from: number; readonly to: number; readonly qps: number }
);

/** Findings about a plan beside its steps. */
export interface PlanFindings {
  readonly shortfalls: readonly PlanShortfall[];
  readonly changes: readonly PlanChange[];
  readonly leftOut: readonly LeftOutDevice[];
}

const negligibleQps = 1e-6;

/** Returns the steps in which more than a negligible rate is missing, and the first of those that miss most. */
function missingAt(qpsAt: (step: number) => number, steps: readonly number[]) {
  const missing = steps.filter((step) => qpsAt(step) > negligibleQps);
  const [first] = missing;
  if (first === undefined) return null;
  return { missing, worst: missing.reduce((a, b) => (qpsAt(b) > qpsAt(a) ? b : a), first) };
}

function findShortfalls(problem: PlanProblem, { dispatches }: EvaluatedPlan): PlanShortfall[] {
  const { demandQps, coverQps, spareDevices } = problem;
  const steps = [...demandQps.keys()];
  const found: PlanShortfall[] = [];
  const short = missingAt((step) => dispatches[step]?.shortfallQps ?? 0, steps);
  if (short !== null) {
    const { missing, worst } = short;
    const missingQps = dispatches[worst]?.shortfallQps ?? 0;
    const unavoidable = unavoidableQps(problem, worst).shortfallQps;
    const ofQps = demandQps[worst] as number;
    found.push({
      ...{ rule: "demandQps", why: unavoidable > missingQps - negligibleQps ? "too-small" : "price", steps: missing },
      ...{ worstStep: worst, missingQps, ofQps, maxCarriedQps: ofQps - unavoidable },
    });
  }
  const uncovered = missingAt((step) => dispatches[step]?.uncoveredQps ?? 0, steps);
  if (uncovered !== null) {
    const { missing, worst } = uncovered;
    const ofQps = coverQps[worst] as number;
    // In the last step everything that can be started has been: what is missing there is missing for good.
    const atLast = {
      ...problem,
      demandQps: steps.map(() => demandQps[worst] as number),
      coverQps: steps.map(() => ofQps),
    };
    const structural = unavoidableQps(atLast, steps.length - 1);
    const isStructural = structural.uncoveredQps - structural.shortfallQps > negligibleQps;
    found.push({
      ...{ rule: spareDevices > 0 ? "spareDevices" : "cover", why: isStructural ? "too-small" : "transient" },
      ...{ steps: missing, worstStep: worst, missingQps: dispatches[worst]?.uncoveredQps ?? 0, ofQps },
      maxCarriedQps: ofQps - structural.uncoveredQps,
    });
  }
  return found;
}

type UnitsChange = Extract<PlanChange, { kind: "units" }>;
type DeviceChange = Exclude<PlanChange, UnitsChange>;

/** Lists the changes of the number of units of an offer. */
function findUnitChanges(problem: PlanProblem, plan: EvaluatedPlan, classIndex: number): UnitsChange[] {
  const { name, sources } = problem.classes[classIndex] as PlanClass;
  const groups = plan.groups.filter((group) => group.classIndex === classIndex);
  const countIf = (isIn: (group: PlannedGroup) => boolean) =>
    groups.reduce((sum, group) => sum + (isIn(group) ? group.count : 0), 0);
  let from = countIf(({ source }) => sources[source]?.start.kind === "on");
  return [...problem.demandQps.keys()].flatMap((step): UnitsChange[] => {
    const to = countIf(({ schedule }) => schedule[step] !== off);
    if (to === from) return [];
    const qps = plan.loads[step]?.[plan.blocks.firstOfClass[classIndex] as number] ?? 0;
    const change: UnitsChange = { step, name, kind: "units", from, to, qps };
    from = to;
    return [change];
  });
}

/** Lists the changes of devices with the same schedule. */
function changesOf(problem: PlanProblem, { classIndex, source, schedule, walk, ids }: PlannedGroup): DeviceChange[] {
  const { name, modes, sources, startupSteps } = problem.classes[classIndex] as PlanClass;
  const modeAt = (step: number) => modes[schedule[step] ?? 0]?.name ?? "";
  const served = (step: number) => (step === 0 ? sources[source]?.start.kind === "on" : schedule[step - 1] !== off);
  return [
    ...walk.orders.map((step): DeviceChange => {
      const servesFrom = step + startupSteps;
      return { step, name, kind: "start", ids, mode: modeAt(servesFrom), servesFrom };
    }),
    ...walk.switches.map((step): DeviceChange => ({ step, name, kind: "switch", ids, mode: modeAt(step) })),
    ...[...schedule.keys()]
      .filter((step) => served(step) && schedule[step] === off)
      .map((step): DeviceChange => ({ step, name, kind: "standby", ids })),
  ];
}

/** Lists the changes that a plan makes, in their order; equal changes of several devices are one. */
function findChanges(problem: PlanProblem, plan: EvaluatedPlan): PlanChange[] {
  const byClass = problem.classes.map(({ kind }, classIndex): PlanChange[] => {
    if (kind === "cloud") return findUnitChanges(problem, plan, classIndex);
    const ofClass = plan.groups.filter((group) => group.classIndex === classIndex);
    const alike = Map.groupBy(
      ofClass.flatMap((group) => changesOf(problem, group)),
      ({ ids: _, ...change }) => JSON.stringify(change),
    );
    return [...alike.values()].map((changes) => ({
      ...(changes[0] as DeviceChange),
      ids: changes.flatMap(({ ids }) => ids),
    }));
  });
  return byClass.flat().sort((a, b) => a.step - b.step);
}

/** Finds out which limits a plan does not keep and by how much, what it changes, and which devices it had to leave out. */
export function findInPlan(problem: PlanProblem, plan: EvaluatedPlan): PlanFindings {
  return {
    shortfalls: findShortfalls(problem, plan),
    changes: findChanges(problem, plan),
    leftOut: problem.leftOut,
  };
}
