import { parseFormula } from "./formula.ts";
import type { TriggerObservation } from "./trigger-input.ts";
import type { TriggerPolicy, TriggerTarget } from "./trigger-rules.ts";

/** What a trigger (or the formula over all of them) says, ready to be compared with its target. */
export interface TriggerValue extends TriggerTarget {
  /** What it says by itself; null when it can't. */
  readonly value: number | null;
  /** What it counts as for the number of replicas: the same, or what the fallback asks for; null when not even that is known. */
  readonly counted: number | null;
  readonly active: boolean;
  /** How many replicas the fallback asks for in its place; null when it speaks for itself. */
  readonly fallbackReplicas: number | null;
  /** Why it can't say anything; null when it can. */
  readonly fault: string | null;
}

type Policy = Pick<TriggerPolicy, "fallback" | "formula"> & { readonly triggers: readonly TriggerTarget[] };

/** Far above any amount that means something, and small enough to be counted in thousandths. */
const most = 1e18;

function fallbackReplicas(fallback: NonNullable<Policy["fallback"]>, currentReplicas: number): number {
  switch (fallback.behavior) {
    case "static":
      return fallback.replicas;
    case "currentReplicas":
      return currentReplicas;
    case "currentReplicasIfHigher":
      return Math.max(currentReplicas, fallback.replicas);
    case "currentReplicasIfLower":
      return Math.min(currentReplicas, fallback.replicas);
  }
  return fallback.behavior satisfies never;
}

function assess(
  target: TriggerTarget,
  heard: { readonly value: number | null; readonly failures: number; readonly fault: string | null },
  policy: Policy,
  { currentReplicas, readyReplicas }: TriggerObservation,
): TriggerValue {
  const { value, failures, fault } = heard;
  if (value !== null) {
    const counted = Math.min(Math.max(value, -most), most);
    return { ...target, value, counted, active: value > target.activation, fallbackReplicas: null, fault: null };
  }
  const silent = { ...target, value: null, active: false, fault: fault ?? "has not been read" };
  if (policy.fallback === undefined || failures <= policy.fallback.failureThreshold) {
    return { ...silent, counted: null, fallbackReplicas: null };
  }
  const replicas = fallbackReplicas(policy.fallback, currentReplicas);
  // So that the target makes that many of it: of a whole value each of those that are ready gets a part.
  const spread = target.metricType === "average" ? 1 : Math.max(1, readyReplicas ?? currentReplicas);
  return { ...silent, counted: (target.target * replicas) / spread, fallbackReplicas: replicas };
}

/** What is known of each trigger, with the fallback where one has failed too often; of a formula as one trigger, if there is one. */
export function triggerValues(policy: Policy, observation: TriggerObservation): TriggerValue[] {
  const { triggers, formula } = policy;
  const heard = triggers.map((trigger) => {
    const reading = observation.readings.find((each) => each.trigger === trigger.name);
    const value = reading?.value ?? null;
    const usable = value !== null && Number.isFinite(value);
    const fault = usable
      ? null
      : value === null
        ? (reading?.reason ?? "has not been read")
        : `gave ${value}, which is no amount`;
    return { value: usable ? value : null, failures: reading?.failures ?? 0, fault };
  });
  if (formula === undefined) {
    return triggers.map((trigger, index) =>
      assess(trigger, heard[index] as (typeof heard)[number], policy, observation),
    );
  }
  const { expression, target, metricType, activation } = formula;
  const names = triggers.map(({ name }) => name);
  const parsed = parseFormula(expression, names);
  const used = "fault" in parsed ? names : parsed.names;
  const silent = used.filter((name) => heard[names.indexOf(name)]?.value === null);
  const failures = Math.max(0, ...silent.map((name) => heard[names.indexOf(name)]?.failures ?? 0));
  const result =
    "fault" in parsed
      ? parsed
      : silent.length > 0
        ? { fault: silent.map((name) => `${name}: ${heard[names.indexOf(name)]?.fault}`).join("; ") }
        : parsed.evaluate(Object.fromEntries(names.map((name, index) => [name, heard[index]?.value ?? 0])));
  const said =
    "value" in result
      ? { value: result.value, failures: 0, fault: null }
      : { value: null, failures, fault: result.fault };
  return [assess({ name: "formula", target, metricType, activation }, said, policy, observation)];
}
