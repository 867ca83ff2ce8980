import { type EvaluatedPlan, evaluatePlan, type FleetSchedule } from "../fleet-plan/evaluate-plan.ts";
import type { FleetPlanInput } from "../fleet-plan/fleet-plan-input.ts";
import { descend } from "../fleet-plan/plan-by-search.ts";
import { type PlanProblem, toPlanProblem } from "../fleet-plan/plan-problem.ts";
import { off, untouchedSchedule, walkSchedule } from "../fleet-plan/unit-schedule.ts";
import type { BacktestFleet, FleetDevices } from "./backtest-fleet.ts";
import type { BacktestPolicy, PolicyView } from "./backtest-policy.ts";
import { horizonMinutes } from "./replay-forecasts.ts";
import type { FleetState, FleetTarget } from "./simulate-fleet.ts";

/** A plan that is still good is kept for so many minutes; then it is made anew. */
const keptMinutes = 5;
/** Trials of the search for one plan: a month has thousands of them. */
const mostTrials = 4_000;
/** A need beyond what is planned by more than this is met with a new plan at once. */
const tolerance = 0.01;
const minuteS = 60;
/** So that nothing flaps: for so long after a start nobody goes to standby, and after the last wish for a cloud unit it is kept. */
const stabilizationMinutes = 15;
/** What is not covered by the plan comes about once in a hundred times. */
const coverShare = 0.02;

interface KeptPlan {
  readonly fromMinute: number;
  readonly targets: readonly FleetTarget[];
  /** What serves in each step, at the target utilisation. */
  readonly carriedQps: readonly number[];
}

function planInput(fleet: BacktestFleet, { state, minute }: PolicyView, demandQps: readonly number[]): FleetPlanInput {
  const { peakQps: _peak, name: _name, devices, cloud, ...terms } = fleet;
  return {
    ...terms,
    stepS: minuteS,
    horizonSteps: demandQps.length,
    demandQps: [...demandQps],
    devices: state.devices.map(({ make, mode, startingS, sinceMinute }, place) => {
      const { count: _count, ...own } = devices[make] as FleetDevices;
      return {
        ...own,
        id: String(place),
        state: mode === off ? "standby" : startingS > 0 ? "starting" : "active",
        stateForS:
          startingS > 0 ? own.startupS - startingS : Math.min(1e6, Math.max(0, minute - sinceMinute) * minuteS),
        mode: own.modes[Math.max(0, mode)]?.name ?? "",
      };
    }),
    cloud: cloud.map((offer, index) => {
      const { serving = 0, startingS = [] } = state.cloud[index] ?? {};
      return { ...offer, running: serving + startingS.length };
    }),
  };
}

/** What the plan asks of each device and offer, step by step. */
function targetsOf(fleet: BacktestFleet, problem: PlanProblem, plan: EvaluatedPlan): FleetTarget[] {
  const devices = fleet.devices.reduce((sum, { count }) => sum + count, 0);
  const makes = fleet.devices.flatMap((make) => Array.from({ length: make.count }, () => make));
  const targets = problem.demandQps.map(() => ({
    modes: new Array<number>(devices).fill(off),
    units: fleet.cloud.map(() => 0),
  }));
  for (const [index, { kind, name, units, modes, startupSteps }] of problem.classes.entries()) {
    const offer = fleet.cloud.findIndex(({ id }) => kind === "cloud" && id === name);
    for (const [place, { id, start }] of units.entries()) {
      const own = plan.schedule[index]?.[place] ?? [];
      const orders = plan.walks[index]?.[place]?.orders ?? [];
      for (const [step, target] of targets.entries()) {
        const order = orders.find((at) => at <= step && step < at + startupSteps);
        const arriving = start.kind === "starting" && step < start.arrivesAt ? start.arrivesAt : null;
        const servesAt = own[step] !== off ? step : order !== undefined ? order + startupSteps : arriving;
        if (servesAt === null) continue;
        if (kind === "cloud") {
          target.units[offer] = (target.units[offer] as number) + 1;
          continue;
        }
        const modeName = modes[Math.max(0, own[servesAt] ?? 0)]?.name;
        target.modes[Number(id)] = makes[Number(id)]?.modes.findIndex((mode) => mode.name === modeName) ?? 0;
      }
    }
  }
  return targets;
}

/** Whoever serves goes on in another mode. Where the rules forbid it, it stays as it is. */
function allInMode(problem: PlanProblem, mode: number): FleetSchedule {
  return problem.classes.map((unitClass) =>
    unitClass.units.map(({ start }) => {
      const asIs = untouchedSchedule(start, problem.steps);
      const other = asIs.map((each) => (each === off ? off : Math.min(mode, unitClass.modes.length - 1)));
      return walkSchedule(unitClass, start, other) === null ? asIs : other;
    }),
  );
}

function makePlan(fleet: BacktestFleet, view: PolicyView, { expectedQps, coverQps }: Needs): KeptPlan {
  const problem = toPlanProblem(planInput(fleet, view, expectedQps), { qps: coverQps, share: coverShare });
  const asIs = problem.classes.map(({ units }) => units.map(({ start }) => untouchedSchedule(start, problem.steps)));
  // One step at a time does not find that three boards in a frugal mode beat two in a hungry one: a second beginning, another each time.
  const modes = Math.max(...problem.classes.map((unitClass) => unitClass.modes.length));
  const beginnings = [asIs, allInMode(problem, view.minute % modes)];
  const descents = beginnings.map((beginning) => descend(problem, mostTrials, beginning, "to-the-end"));
  const plan = evaluatePlan(problem, descents.reduce((best, next) => (next.usd < best.usd ? next : best)).plan);
  if (plan === null) throw new Error("the search's plan breaks a rule. This is a bug.");
  return {
    fromMinute: view.minute,
    targets: targetsOf(fleet, problem, plan),
    carriedQps: problem.demandQps.map((_, step) =>
      plan.walks.reduce(
        (sum, walks) => sum + walks.reduce((ofClass, { carriedQps }) => ofClass + (carriedQps[step] as number), 0),
        0,
      ),
    ),
  };
}

const asTheyAre = ({ devices, cloud }: FleetState): FleetTarget => ({
  modes: devices.map(({ mode }) => mode),
  units: cloud.map(({ serving, startingS }) => serving + startingS.length),
});

interface Needs {
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}

function planningPolicy(fleet: BacktestFleet, needs: (view: PolicyView) => Needs | null): BacktestPolicy {
  let kept: KeptPlan | null = null;
  let startedMinute = Number.NEGATIVE_INFINITY;
  let newestUnits: (readonly number[])[] = [];
  const longestStartS = Math.max(0, ...[...fleet.devices, ...fleet.cloud].map(({ startupS }) => startupS));
  // What is needed later than a start takes can be seen to later.
  const lookedAt = Math.min(horizonMinutes, Math.ceil(longestStartS / minuteS) + 1);
  return {
    decide(view) {
      const need = needs(view);
      // Nothing is known yet: nothing is changed.
      if (need === null) return asTheyAre(view.state);
      const age = kept === null ? keptMinutes : view.minute - kept.fromMinute;
      const misses = need.coverQps
        .slice(0, lookedAt)
        .some((qps, step) => qps > (kept?.carriedQps[age + step] ?? 0) * (1 + tolerance));
      if (kept === null || age >= keptMinutes || misses) kept = makePlan(fleet, view, need);
      const { modes, units } = kept.targets[view.minute - kept.fromMinute] as FleetTarget;
      newestUnits = [units, ...newestUnits].slice(0, stabilizationMinutes);
      const { devices } = view.state;
      if (modes.some((mode, place) => mode !== off && devices[place]?.mode === off)) startedMinute = view.minute;
      const settled = view.minute - startedMinute >= stabilizationMinutes;
      return {
        modes: settled ? modes : modes.map((mode, place) => (mode === off ? (devices[place]?.mode ?? off) : mode)),
        units: units.map((_, index) => Math.max(...newestUnits.map((each) => each[index] as number))),
      };
    },
  };
}

const coming = (qpsAt: (step: number) => number) => Array.from({ length: horizonMinutes }, (_, step) => qpsAt(step));

/** The fleet plan on the forecast: paid for is what is expected, carried must be what hardly is exceeded, and never less than the newest rate. */
export const fleetPlan = (fleet: BacktestFleet) =>
  planningPolicy(fleet, (view) => {
    if (view.minute === 0) return null;
    const now = view.rateAt(view.minute - 1);
    const { expectedQps, highQps } = view.forecast();
    return {
      expectedQps: coming((step) => expectedQps[step] ?? now),
      coverQps: coming((step) => Math.max(now, highQps[step] ?? 0)),
    };
  });

/** The fleet plan on what really comes. */
export const oracle = (fleet: BacktestFleet) =>
  planningPolicy(fleet, (view) => {
    const qps = view.futureQps(horizonMinutes);
    return { expectedQps: qps, coverQps: qps };
  });
