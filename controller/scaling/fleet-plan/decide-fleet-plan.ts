import { assignUnits } from "./assign-units.ts";
import { type EvaluatedPlan, evaluatePlan } from "./evaluate-plan.ts";
import type { FleetPlanInput } from "./fleet-plan-input.ts";
import type { MilpSolver } from "./milp/milp-solver.ts";
import { type PlanMilp, planMilp } from "./milp/plan-milp.ts";
import { planBySearch } from "./plan-by-search.ts";
import { findInPlan, type PlanFindings } from "./plan-findings.ts";
import { type Cover, type PlanProblem, toPlanProblem } from "./plan-problem.ts";
import { off } from "./unit-schedule.ts";

export interface UnitInMode {
  readonly id: string;
  readonly mode: string;
}

export interface FleetPlanStep {
  /** Devices that serve in this step. */
  readonly active: readonly UnitInMode[];
  /** Devices that were ordered to start and will serve later, with the mode they will serve in. */
  readonly starting: readonly UnitInMode[];
  /** Offers of which units run or start in this step, and the rate they serve. */
  readonly cloud: readonly { readonly id: string; readonly units: number; readonly qps: number }[];
  readonly shortfallQps: number;
}

export interface FleetPlan {
  /** True unless the fleet is too small to do without the spare devices: `findings` says by how much. A shortfall is priced, not forbidden. */
  readonly feasible: boolean;
  readonly costUsd: number;
  /** Lower bound: no plan costs less; 0 when the solver gave none. */
  readonly boundUsd: number;
  /** Distance of the cost from the bound, as a share of the cost. */
  readonly gap: number;
  readonly steps: readonly FleetPlanStep[];
  readonly findings: PlanFindings;
  readonly method: PlanMethod;
}

/** Method by which a plan was made. */
export interface PlanMethod {
  readonly by: "solver" | "rounded-solver" | "search";
  /** True when the search has improved what the solver gave. */
  readonly isImproved: boolean;
  /** Reasons why the solver had no plan. */
  readonly failures: readonly string[];
}

export interface FleetPlanLimits {
  /** Gap that is good enough, as a share. For large fleets see {@link largeFleet}. */
  readonly relativeGap: number;
  /** Time limit for the solver, in all. */
  readonly timeLimitS: number;
  /** Most schedules that the search tries when the solver has no plan: about a million a second. It gets a tenth of them to improve a plan. */
  readonly maxTrials: number;
}

export const defaultPlanLimits: FleetPlanLimits = { relativeGap: 1e-4, timeLimitS: 3, maxTrials: 1_000_000 };

/** Limits of a solver that has `solverMs`: a search that takes its place gets no longer either. */
export function limitsWithin(solverMs: number): FleetPlanLimits {
  const { timeLimitS, maxTrials } = defaultPlanLimits;
  const share = Math.min(1, solverMs / 1000 / timeLimitS);
  return { ...defaultPlanLimits, timeLimitS: solverMs / 1000, maxTrials: Math.ceil(maxTrials * share) };
}

/**
 * Limits for fleets in which whole numbers are a detail: the plan with fractions of devices, rounded and improved by the search, is nearly always
 * within the gap, and much faster. The mixed-integer program follows when it is not.
 */
const largeFleet = { units: 200, relativeGap: 0.01, timeLimitS: 0.5, unitsForAllTheTime: 2000 } as const;

interface Candidate {
  readonly plan: EvaluatedPlan;
  readonly method: PlanMethod;
}

interface Attempt {
  readonly candidate: Candidate | null;
  readonly boundUsd: number | null;
  readonly failure: string | null;
}

/** Asks the solver, gives its counts to single devices, and lets the search improve the plan where that cost something. */
function solve(
  problem: PlanProblem,
  program: PlanMilp,
  solver: MilpSolver,
  limits: FleetPlanLimits,
  fractions: boolean,
): Attempt {
  const milp = fractions ? { ...program.milp, whole: program.milp.whole.map(() => false) } : program.milp;
  const answer = solver.solve(milp, limits);
  if (answer.status === "none") return { boundUsd: null, candidate: null, failure: answer.reason };
  const counts = program.countsOf(answer.values);
  const schedule = problem.classes.map((unitClass, index) =>
    assignUnits(unitClass, counts[index] as (typeof counts)[number], problem.steps),
  );
  const boundUsd = program.usdOf(answer.bound);
  const assigned = evaluatePlan(problem, schedule);
  if (assigned === null) return { boundUsd, candidate: null, failure: "its plan can't be given to single devices" };
  const method: PlanMethod = { by: fractions ? "rounded-solver" : "solver", isImproved: false, failures: [] };
  if (gapBetween(boundUsd, assigned.usd) <= limits.relativeGap) {
    return { boundUsd, candidate: { plan: assigned, method }, failure: null };
  }
  const improved = evaluatePlan(problem, planBySearch(problem, limits.maxTrials / 10, schedule));
  const plan = improved === null || improved.usd >= assigned.usd ? assigned : improved;
  return { boundUsd, candidate: { plan, method: { ...method, isImproved: true } }, failure: null };
}

function gapBetween(boundUsd: number | null, costUsd: number): number {
  if (boundUsd === null) return 1;
  return costUsd <= boundUsd ? 0 : (costUsd - boundUsd) / costUsd;
}

const cheaper = (a: Candidate | null, b: Candidate | null) =>
  a === null || b === null ? (a ?? b) : b.plan.usd < a.plan.usd ? b : a;

function bestCandidate(problem: PlanProblem, solver: MilpSolver, limits: FleetPlanLimits) {
  const program = planMilp(problem);
  const units = problem.classes.reduce((sum, unitClass) => sum + unitClass.units.length, 0);
  const isLarge = units >= largeFleet.units;
  const goal = isLarge ? Math.max(limits.relativeGap, largeFleet.relativeGap) : limits.relativeGap;
  const attempts: Attempt[] = [];
  let best: Candidate | null = null;
  let boundUsd: number | null = null;
  const attempt = (fractions: boolean, timeLimitS: number) => {
    const done = solve(problem, program, solver, { ...limits, relativeGap: goal, timeLimitS }, fractions);
    attempts.push(done);
    best = cheaper(best, done.candidate);
    if (done.boundUsd !== null) boundUsd = Math.max(boundUsd ?? 0, done.boundUsd);
  };
  const manyUnits = units > largeFleet.unitsForAllTheTime;
  const timeLimitS = isLarge && !manyUnits ? Math.min(limits.timeLimitS, largeFleet.timeLimitS) : limits.timeLimitS;
  if (isLarge) attempt(true, timeLimitS);
  const found = best as Candidate | null;
  if (found === null || gapBetween(boundUsd, found.plan.usd) > goal) attempt(false, timeLimitS);
  // Without whole numbers there is at least a bound.
  if (boundUsd === null && !isLarge) attempt(true, timeLimitS);
  const solved = best as Candidate | null;
  if (solved !== null && gapBetween(boundUsd, solved.plan.usd) <= largeFleet.relativeGap)
    return { best: solved, boundUsd };
  const maxTrials = solved === null ? limits.maxTrials : limits.maxTrials / 10;
  const plan = evaluatePlan(problem, planBySearch(problem, maxTrials));
  if (plan === null) throw new Error("the search's plan breaks a rule. This is a bug.");
  const failures = solved === null ? attempts.flatMap(({ failure }) => failure ?? []) : [];
  const method: PlanMethod = { by: "search", isImproved: false, failures };
  return { best: cheaper(solved, { plan, method }) as Candidate, boundUsd: boundUsd as number | null };
}

/**
 * Decides for each step which devices serve in which mode, and how many units of which cloud offer, at least cost: a mixed-integer program
 * over counts of equal devices, solved by `solver`; a search takes its place when that fails. The model: docs/fleet-plan.md.
 * @param cover rates above the demand that should be carried if they came.
 */
export function decideFleetPlan(
  input: FleetPlanInput,
  solver: MilpSolver,
  limits: FleetPlanLimits = defaultPlanLimits,
  cover?: Cover,
): FleetPlan {
  const problem = toPlanProblem(input, cover);
  const { best, boundUsd } = bestCandidate(problem, solver, limits);
  const { plan, method } = best;
  const findings = findInPlan(problem, plan);
  return {
    feasible: !findings.shortfalls.some(({ rule, why }) => rule !== "demandQps" && why === "too-small"),
    costUsd: plan.usd,
    boundUsd: boundUsd === null ? 0 : Math.min(boundUsd, plan.usd),
    gap: gapBetween(boundUsd, plan.usd),
    steps: problem.demandQps.map((_, step) => planStep(problem, plan, step)),
    findings,
    method,
  };
}

function planStep(
  problem: PlanProblem,
  { schedule, walks, blocks, loads, dispatches }: EvaluatedPlan,
  step: number,
): FleetPlanStep {
  const active: UnitInMode[] = [];
  const starting: UnitInMode[] = [];
  const cloud: { id: string; units: number; qps: number }[] = [];
  for (const [index, { kind, name, units, modes, startupSteps }] of problem.classes.entries()) {
    let running = 0;
    for (const [place, { id, start }] of units.entries()) {
      const own = schedule[index]?.[place] ?? [];
      const serves = own[step] !== off;
      const orders = walks[index]?.[place]?.orders ?? [];
      const order = orders.find((at) => at <= step && step < at + startupSteps);
      const arrivesAt =
        order === undefined
          ? start.kind === "starting" && step < start.arrivesAt
            ? start.arrivesAt
            : null
          : order + startupSteps;
      if (serves || arrivesAt !== null) running += 1;
      if (kind === "cloud") continue;
      const modeName = modes[own[serves ? step : (arrivesAt ?? 0)] ?? 0]?.name ?? "";
      if (serves) active.push({ id, mode: modeName });
      else if (arrivesAt !== null) starting.push({ id, mode: modeName });
    }
    if (kind === "cloud" && running > 0) {
      cloud.push({ id: name, units: running, qps: loads[step]?.[blocks.firstOfClass[index] as number] ?? 0 });
    }
  }
  return { active, starting, cloud, shortfallQps: dispatches[step]?.shortfallQps ?? 0 };
}
