import { countToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { FleetPlan } from "./decide-fleet-plan.ts";
import type { FleetPlanInput } from "./fleet-plan-input.ts";
import type { PlanChange, PlanShortfall } from "./plan-findings.ts";
import type { LeftOutDevice } from "./plan-problem.ts";

/** "step 3", "steps 0-2, 5": steps, in runs. */
function stepsToText(steps: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const step of steps) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === step - 1) last[1] = step;
    else runs.push([step, step]);
  }
  const texts = runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${steps.length === 1 ? "step" : "steps"} ${texts.join(", ")}`;
}

function explainShortfall(shortfall: PlanShortfall, input: FleetPlanInput): string {
  const { rule, why, steps, worstStep, missingQps, ofQps, maxCarriedQps } = shortfall;
  const [missing, of] = [qpsToText(missingQps), qpsToText(ofQps)];
  if (rule === "demandQps") {
    const because =
      why === "too-small"
        ? `everything that can serve by then carries ${qpsToText(maxCarriedQps)} qps at ${Math.round(input.targetUtilization * 100)} % utilisation`
        : `carrying it would cost more than shortfallUsdPerRequest (${input.shortfallUsdPerRequest})`;
    return `demandQps: ${missing} of ${of} qps not carried at step ${worstStep} (${stepsToText(steps)} short): ${because}`;
  }
  const because =
    why === "too-small"
      ? "the fleet is too small for it"
      : "until more can serve, or because it would cost more than it is worth";
  const what =
    rule === "spareDevices"
      ? `spareDevices: with the ${countToText(input.spareDevices, "largest device", "largest devices")} out, ${missing} of ${of} qps`
      : `cover: ${missing} of ${of} qps that may come`;
  return `${what} would not be carried at step ${worstStep} (${stepsToText(steps)}): ${because}`;
}

function explainChange(change: PlanChange): string {
  const { step, name } = change;
  switch (change.kind) {
    case "units": {
      const { from, to, qps } = change;
      const load = to > from ? `serving ${qpsToText(qps)} qps` : "the rest carries the demand";
      return `step ${step}: ${name} from ${from} to ${countToText(to, "unit")}, ${load}`;
    }
    case "start": {
      const { ids, mode, servesFrom } = change;
      const serving = servesFrom > step ? `, serving from step ${servesFrom}` : "";
      return `step ${step}: ${listToText(ids)} (${name}) start in ${mode}${serving}`;
    }
    case "switch":
      return `step ${step}: ${listToText(change.ids)} (${name}) switch to ${change.mode}`;
    case "standby":
      return `step ${step}: ${listToText(change.ids)} (${name}) to standby`;
    default:
      return change satisfies never;
  }
}

const tooSlowToText = (sloMs: number, p95Ms: number, what: string) =>
  `slo.p95Ms ${sloMs}: ${what} ${p95Ms} ms, ${+(p95Ms - sloMs).toFixed(3)} ms too slow`;

function explainLeftOut({ rule, fastestP95Ms }: LeftOutDevice, sloMs: number): string {
  if (rule === "too-slow") return tooSlowToText(sloMs, fastestP95Ms, "its fastest mode has a p95 of");
  return rule === "no-capacity" ? "no mode within the SLO has any capacity" : rule;
}

function explainMethod({ method, costUsd, boundUsd, gap, steps }: FleetPlan): string {
  const { by, isImproved, failures } = method;
  const who = {
    solver: "the solver's plan",
    "rounded-solver": "the solver's plan with fractional devices, rounded",
    search: "the search's plan",
  }[by];
  const failed = failures.length === 0 ? "" : `; the solver failed: ${failures.join("; ")}`;
  const distance = boundUsd === 0 ? "no bound is known" : `at most ${(gap * 100).toFixed(2)} % above the lowest cost`;
  const improved = isImproved ? ", improved by search" : "";
  return `${who}${improved}${failed}: ${costUsd.toPrecision(4)} US$ for ${steps.length} steps, ${distance}`;
}

/** Explains a plan, a sentence per line: limits it can't keep and by how much, changes, what it had to leave out, and how it was made. */
export function explainFleetPlan(plan: FleetPlan, input: FleetPlanInput): string[] {
  const { shortfalls, changes, leftOut } = plan.findings;
  const sloMs = input.slo.p95Ms;
  const byReason = Map.groupBy(leftOut, (device) => explainLeftOut(device, sloMs));
  return [
    ...shortfalls.map((shortfall) => explainShortfall(shortfall, input)),
    ...changes.map(explainChange),
    ...[...byReason].map(([reason, devices]) => `not used: ${listToText(devices.map(({ id }) => id))}: ${reason}`),
    ...input.cloud
      .filter(({ p95Ms }) => p95Ms > sloMs)
      .map(({ id, p95Ms }) => `not used: ${id}: ${tooSlowToText(sloMs, p95Ms, "its p95 is")}`),
    explainMethod(plan),
  ];
}
