import type { EvaluatedPlan } from "./evaluate-plan.ts";
import { unavoidableQps } from "./milp/plan-milp.ts";
import type { LeftOutDevice, PlanProblem } from "./plan-problem.ts";
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

/** Lists the changes that a plan makes, in their order; equal changes of several devices are one. */
function findChanges(problem: PlanProblem, { schedule, walks, loads, blocks }: EvaluatedPlan): PlanChange[] {
  const changes: PlanChange[] = [];
  for (const [index, { kind, name, units, modes, startupSteps }] of problem.classes.entries()) {
    if (kind === "cloud") {
      let before = units.filter(({ start }) => start.kind === "on").length;
      for (const step of problem.demandQps.keys()) {
        const running = (schedule[index] ?? []).filter((own) => own[step] !== off).length;
        if (running === before) continue;
        const qps = loads[step]?.[blocks.firstOfClass[index] as number] ?? 0;
        changes.push({ step, name, kind: "units", from: before, to: running, qps });
        before = running;
      }
      continue;
    }
    const grouped = new Map<string, Exclude<PlanChange, { kind: "units" }> & { ids: string[] }>();
    const note = (change: Exclude<PlanChange, { kind: "units" }> & { ids: string[] }) => {
      const { ids, ...rest } = change;
      const key = JSON.stringify(rest);
      const group = grouped.get(key);
      if (group === undefined) grouped.set(key, change);
      else group.ids.push(...ids);
    };
    for (const [place, { id, start }] of units.entries()) {
      const own = schedule[index]?.[place] ?? [];
      const modeAt = (step: number) => modes[own[step] ?? 0]?.name ?? "";
      for (const step of walks[index]?.[place]?.orders ?? []) {
        const servesFrom = step + startupSteps;
        note({ step, name, kind: "start", ids: [id], mode: modeAt(servesFrom), servesFrom });
      }
      for (const step of walks[index]?.[place]?.switches ?? []) {
        note({ step, name, kind: "switch", ids: [id], mode: modeAt(step) });
      }
      for (const step of own.keys()) {
        const served = step === 0 ? start.kind === "on" : own[step - 1] !== off;
        if (served && own[step] === off) note({ step, name, kind: "standby", ids: [id] });
      }
    }
    changes.push(...grouped.values());
  }
  return changes.toSorted((a, b) => a.step - b.step);
}

/** Finds out which limits a plan does not keep and by how much, what it changes, and which devices it had to leave out. */
export function findInPlan(problem: PlanProblem, plan: EvaluatedPlan): PlanFindings {
  return {
    shortfalls: findShortfalls(problem, plan),
    changes: findChanges(problem, plan),
    leftOut: problem.leftOut,
  };
}
