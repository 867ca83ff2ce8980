import { count as countOf, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import type { EvaluatedPlan } from "./evaluate-plan.ts";
import type { FleetPlanInput } from "./fleet-plan-input.ts";
import { unavoidableQps } from "./milp/plan-milp.ts";
import type { PlanProblem } from "./plan-problem.ts";
import { off } from "./unit-schedule.ts";

const mostNames = 5;
const negligibleQps = 1e-6;

function names(ids: readonly string[]): string {
  const more = ids.length - mostNames;
  return more > 0 ? `${ids.slice(0, mostNames).join(", ")} and ${more} more` : ids.join(", ");
}

/** "step 3", "steps 0-2 and 5": which steps, in runs. */
function stepsText(steps: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const step of steps) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === step - 1) last[1] = step;
    else runs.push([step, step]);
  }
  const texts = runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${steps.length === 1 ? "step" : "steps"} ${texts.join(", ")}`;
}

/** The changes that the plan makes: starts, stops and switches of devices, more or fewer cloud units. */
function changes(problem: PlanProblem, { schedule, walks, loads, blocks }: EvaluatedPlan): string[] {
  const lines: { step: number; text: string }[] = [];
  for (const [index, { kind, name, units, modes, startupSteps }] of problem.classes.entries()) {
    if (kind === "cloud") {
      const running = problem.demandQps.map(
        (_, step) => (schedule[index] ?? []).filter((own) => own[step] !== off).length,
      );
      let before = units.filter(({ start }) => start.kind === "on").length;
      for (const [step, units] of running.entries()) {
        if (units === before) continue;
        const served = qps(loads[step]?.[blocks.firstOfClass[index] as number] ?? 0);
        const text = units > before ? `serving ${served} qps` : "the rest carries the demand";
        lines.push({ step, text: `step ${step}: ${name} from ${before} to ${countOf(units, "unit")}, ${text}` });
        before = units;
      }
      continue;
    }
    const grouped = new Map<string, { step: number; ids: string[] }>();
    const note = (step: number, what: string, id: string) => {
      const key = `${step}|${what}`;
      const group = grouped.get(key);
      if (group === undefined) grouped.set(key, { step, ids: [id] });
      else group.ids.push(id);
    };
    for (const [place, { id, start }] of units.entries()) {
      const own = schedule[index]?.[place] ?? [];
      const modeAt = (step: number) => modes[own[step] ?? 0]?.name ?? "";
      for (const order of walks[index]?.[place]?.orders ?? []) {
        const serves = order + startupSteps;
        note(order, `start in ${modeAt(serves)}${startupSteps > 0 ? `, serving from step ${serves}` : ""}`, id);
      }
      for (const step of walks[index]?.[place]?.switches ?? []) note(step, `switch to ${modeAt(step)}`, id);
      for (const step of own.keys()) {
        const served = step === 0 ? start.kind === "on" : own[step - 1] !== off;
        if (served && own[step] === off) note(step, "to standby", id);
      }
    }
    for (const [key, { step, ids }] of grouped) {
      lines.push({ step, text: `step ${step}: ${names(ids)} (${name}) ${key.slice(key.indexOf("|") + 1)}` });
    }
  }
  return lines.toSorted((a, b) => a.step - b.step).map(({ text }) => text);
}

/** In sentences: what the plan changes, which limits it can't keep and by how much, and which devices it had to leave out. */
export function explainPlan(
  input: FleetPlanInput,
  problem: PlanProblem,
  plan: EvaluatedPlan,
): { feasible: boolean; reasons: string[] } {
  const { demandQps, spareDevices } = problem;
  const steps = [...demandQps.keys()];
  const reasons: string[] = [];
  let feasible = true;
  const shortAt = steps.filter((step) => (plan.dispatches[step]?.shortfallQps ?? 0) > negligibleQps);
  if (shortAt.length > 0) {
    const worst = shortAt.reduce((a, b) =>
      (plan.dispatches[b]?.shortfallQps ?? 0) > (plan.dispatches[a]?.shortfallQps ?? 0) ? b : a,
    );
    const short = plan.dispatches[worst]?.shortfallQps ?? 0;
    const unavoidable = unavoidableQps(problem, worst).shortfallQps;
    const why =
      unavoidable > short - negligibleQps
        ? `everything that can serve by then carries ${qps((demandQps[worst] as number) - unavoidable)} qps at ${Math.round(input.targetUtilization * 100)} % utilisation`
        : `carrying it would cost more than shortfallUsdPerRequest (${input.shortfallUsdPerRequest})`;
    reasons.push(
      `demandQps: ${qps(short)} of ${qps(demandQps[worst] as number)} qps not carried at step ${worst} (${stepsText(shortAt)} short): ${why}`,
    );
  }
  const uncoveredAt = steps.filter((step) => (plan.dispatches[step]?.uncoveredQps ?? 0) > negligibleQps);
  if (uncoveredAt.length > 0) {
    const worst = uncoveredAt.reduce((a, b) =>
      (plan.dispatches[b]?.uncoveredQps ?? 0) > (plan.dispatches[a]?.uncoveredQps ?? 0) ? b : a,
    );
    const missing = plan.dispatches[worst]?.uncoveredQps ?? 0;
    // In the last step everything that can be started has been: what is missing there is missing for good.
    const structural = unavoidableQps(
      {
        ...problem,
        demandQps: steps.map(() => demandQps[worst] as number),
        coverQps: steps.map(() => problem.coverQps[worst] as number),
      },
      steps.length - 1,
    );
    feasible = structural.uncoveredQps - structural.shortfallQps <= negligibleQps;
    const why = feasible
      ? "until more can serve, or because it would cost more than it is worth"
      : "the fleet is too small for it";
    const what =
      spareDevices > 0
        ? `spareDevices: with the ${countOf(spareDevices, "largest device", "largest devices")} out, ${qps(missing)}`
        : `cover: ${qps(missing)}`;
    const may = spareDevices > 0 ? "" : " that may come";
    reasons.push(
      `${what} of ${qps(problem.coverQps[worst] as number)} qps${may} would not be carried at step ${worst} (${stepsText(uncoveredAt)}): ${why}`,
    );
  }
  reasons.push(...changes(problem, plan));
  const reasonsOfLeftOut = Map.groupBy(problem.leftOut, ({ reason }) => reason);
  for (const [reason, devices] of reasonsOfLeftOut) {
    reasons.push(`not used: ${names(devices.map(({ id }) => id))}: ${reason}`);
  }
  for (const { id, p95Ms } of input.cloud) {
    if (p95Ms > input.slo.p95Ms) {
      reasons.push(
        `not used: ${id}: slo.p95Ms ${input.slo.p95Ms}: its p95 is ${p95Ms} ms, ${+(p95Ms - input.slo.p95Ms).toFixed(3)} ms too slow`,
      );
    }
  }
  return { feasible, reasons };
}
