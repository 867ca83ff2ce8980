import { type EvaluatedPlan, evaluatePlan } from "./evaluate-plan.ts";
import type { FleetPlanInput } from "./fleet-plan-input.ts";
import type { FleetSchedule } from "./fleet-schedule.ts";
import type { Milp, MilpSolver } from "./milp/milp-solver.ts";
import { planFlow } from "./milp/plan-flow.ts";
import { PlanSearch } from "./plan-by-search.ts";
import { findInPlan, type PlanFindings } from "./plan-findings.ts";
import {
  type Cover,
  countUnits,
  type PlanClass,
  type PlanProblem,
  type PlanSource,
  toPlanProblem,
  type UnitStart,
} from "./plan-problem.ts";
import { off, type UnitWalk } from "./unit-schedule.ts";

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
  /** rounded-solver: from the program with fractions of devices. */
  readonly by: "solver" | "rounded-solver" | "search";
  /** True when the search has improved what the solver gave. */
  readonly isImproved: boolean;
  /** Reasons why the solver had no plan. */
  readonly failures: readonly string[];
}

/** Limits of work, not of time: the same input gets the same plan, however busy the machine. */
export interface FleetPlanLimits {
  /** Gap that is good enough, as a share. For large fleets see {@link largeFleet}. */
  readonly relativeGap: number;
  /** Simplex iterations for whole numbers of devices; a thousand take some 0.3 s. */
  readonly maxIterations: number;
  /** Work of the search, in visited arcs: some 15 million per second. */
  readonly maxWork: number;
}

export const defaultPlanLimits: FleetPlanLimits = { relativeGap: 1e-3, maxIterations: 6000, maxWork: 15_000_000 };
/** Real time that the default limits take on an idle core. */
const defaultMs = 3000;

/** Limits of work that takes some `solverMs` on an idle core. */
export function limitsWithin(solverMs: number): FleetPlanLimits {
  const { relativeGap, maxIterations, maxWork } = defaultPlanLimits;
  const share = solverMs / defaultMs;
  return { relativeGap, maxIterations: Math.ceil(maxIterations * share), maxWork: Math.ceil(maxWork * share) };
}

/** In large fleets whole numbers are a detail: this gap is good enough for them, and only a larger one is worth the seconds that they take. */
const largeFleet = { units: 200, relativeGap: 0.01, wholeFromGap: 0.02 } as const;
/** Iterations for the program with fractions of devices: several times what programs of {@link maxArcs} take. */
const maxRelaxedIterations = 60_000;

interface Found {
  readonly plan: FleetSchedule;
  readonly boundUsd: number | null;
  readonly method: PlanMethod;
}

function gapBetween(boundUsd: number | null, costUsd: number): number {
  if (boundUsd === null) return 1;
  return costUsd <= boundUsd ? 0 : (costUsd - boundUsd) / costUsd;
}

/** Makes a plan: the program with fractions of devices, rounded and improved; where that is not near its bound, the one with whole devices. */
function findPlan(problem: PlanProblem, solver: MilpSolver, limits: FleetPlanLimits): Found {
  const program = planFlow(problem);
  const search = new PlanSearch(problem);
  const isLarge = problem.classes.reduce((sum, each) => sum + countUnits(each), 0) >= largeFleet.units;
  const goal = isLarge ? Math.max(limits.relativeGap, largeFleet.relativeGap) : limits.relativeGap;
  const failures: string[] = [];
  let boundUsd: number | null = null;
  let best: { readonly plan: FleetSchedule; readonly by: PlanMethod["by"]; readonly isImproved: boolean } | null = null;
  const consider = (plans: readonly FleetSchedule[], by: PlanMethod["by"]) => {
    const given = plans[0]?.usd ?? Number.POSITIVE_INFINITY;
    const goodUsd = boundUsd === null ? Number.NEGATIVE_INFINITY : boundUsd / (1 - goal);
    const plan = search.improve(plans, limits.maxWork, goodUsd);
    if (best === null || plan.usd < best.plan.usd) best = { plan, by, isImproved: plan.usd < given };
  };
  const ask = (milp: Milp, maxIterations: number, by: PlanMethod["by"]) => {
    const start = best === null ? undefined : program.startOf(best.plan);
    const answer = solver.solve(milp, { relativeGap: goal, maxIterations }, start);
    if (answer.bound !== null) boundUsd = Math.max(boundUsd ?? Number.NEGATIVE_INFINITY, program.usdOf(answer.bound));
    if (answer.status === "none") failures.push(answer.reason);
    else consider(program.plansOf(answer.values), by);
  };
  ask({ ...program.milp, whole: program.milp.whole.map(() => false) }, maxRelaxedIterations, "rounded-solver");
  if (best === null) consider([], "search");
  const usdSoFar = () => best?.plan.usd ?? Number.POSITIVE_INFINITY;
  const wholeFromGap = isLarge ? Math.max(goal, largeFleet.wholeFromGap) : goal;
  if (gapBetween(boundUsd, usdSoFar()) > wholeFromGap) ask(program.milp, limits.maxIterations, "solver");
  const { plan, by, isImproved } = best as unknown as NonNullable<typeof best>;
  return { plan, boundUsd, method: { by, isImproved, failures: by === "search" ? failures : [] } };
}

/**
 * Decides for each step which devices serve in which mode, and how many units of which cloud offer, at least cost: a mixed-integer program
 * over flows of equal devices, solved by `solver`, and a search; the search takes its place when it fails. The model: docs/fleet-plan.md.
 * @param cover rates above the demand that should be carried if they came.
 */
export function decideFleetPlan(
  input: FleetPlanInput,
  solver: MilpSolver,
  limits: FleetPlanLimits = defaultPlanLimits,
  cover?: Cover,
): FleetPlan {
  const problem = toPlanProblem(input, cover);
  const found = findPlan(problem, solver, limits);
  const plan = evaluatePlan(problem, found.plan);
  const findings = findInPlan(problem, plan);
  const order = new Map(input.devices.map(({ id }, place) => [id, place]));
  return {
    feasible: !findings.shortfalls.some(({ rule, why }) => rule !== "demandQps" && why === "too-small"),
    costUsd: plan.usd,
    boundUsd: found.boundUsd === null ? 0 : Math.min(found.boundUsd, plan.usd),
    gap: gapBetween(found.boundUsd, plan.usd),
    steps: problem.demandQps.map((_, step) => planStep(problem, plan, step, order)),
    findings,
    method: found.method,
  };
}

/** Returns the step from which units that are starting in `step` serve; null when they are not. */
function arrivalAt({ orders }: UnitWalk, start: UnitStart, startupSteps: number, step: number): number | null {
  if (start.kind === "starting" && step < start.arrivesAt) return start.arrivesAt;
  const order = orders.find((at) => at <= step && step < at + startupSteps);
  return order === undefined ? null : order + startupSteps;
}

function planStep(
  problem: PlanProblem,
  { groups, blocks, loads, dispatches }: EvaluatedPlan,
  step: number,
  order: ReadonlyMap<string, number>,
): FleetPlanStep {
  const active: UnitInMode[] = [];
  const starting: UnitInMode[] = [];
  const running = problem.classes.map(() => 0);
  for (const { classIndex, source, schedule, walk, count, ids } of groups) {
    const { modes, sources, startupSteps } = problem.classes[classIndex] as PlanClass;
    const serves = schedule[step] !== off;
    const arrivesAt = serves ? null : arrivalAt(walk, (sources[source] as PlanSource).start, startupSteps, step);
    if (!serves && arrivesAt === null) continue;
    running[classIndex] = (running[classIndex] as number) + count;
    const mode = modes[schedule[arrivesAt ?? step] ?? 0]?.name ?? "";
    for (const id of ids) (serves ? active : starting).push({ id, mode });
  }
  const cloud = problem.classes.flatMap(({ kind, name }, index) => {
    const units = running[index] as number;
    const qps = loads[step]?.[blocks.firstOfClass[index] as number] ?? 0;
    return kind === "cloud" && units > 0 ? [{ id: name, units, qps }] : [];
  });
  const byInput = (a: UnitInMode, b: UnitInMode) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0);
  return {
    active: active.sort(byInput),
    starting: starting.sort(byInput),
    cloud,
    shortfallQps: dispatches[step]?.shortfallQps ?? 0,
  };
}
