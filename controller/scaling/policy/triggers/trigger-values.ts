import { parseFormula } from "./formula.ts";
import type { TriggerObservation } from "./trigger-input.ts";
import type { TriggerPolicy, TriggerTarget } from "./trigger-rules.ts";

/** Value of a trigger (or of the formula over all of them), ready to be compared with its target. */
export interface TriggerValue extends TriggerTarget {
  /** Value as it was read; null when it could not be. */
  readonly value: number | null;
  /** Value that counts for the number of replicas: the same, or the fallback's; null when neither is known. */
  readonly counted: number | null;
  readonly active: boolean;
  /** Replicas that the fallback asks for in its place; null when there is no fallback for it. */
  readonly fallbackReplicas: number | null;
  /** Reason why it could not be read; null when it was. */
  readonly fault: string | null;
}

type Policy = Pick<TriggerPolicy, "fallback" | "formula"> & { readonly triggers: readonly TriggerTarget[] };

/** Upper bound far above any sensible amount, and small enough to be counted in thousandths. */
const maxAmount = 1e18;

function fallbackReplicas({ behavior, replicas }: NonNullable<Policy["fallback"]>, currentReplicas: number): number {
  return {
    static: replicas,
    currentReplicas,
    currentReplicasIfHigher: Math.max(currentReplicas, replicas),
    currentReplicasIfLower: Math.min(currentReplicas, replicas),
  }[behavior];
}

function assess(
  target: TriggerTarget,
  reading: { readonly value: number | null; readonly failures: number; readonly fault: string | null },
  policy: Policy,
  { currentReplicas, readyReplicas }: TriggerObservation,
): TriggerValue {
  const { value, failures, fault } = reading;
  if (value !== null) {
    const counted = Math.min(Math.max(value, -maxAmount), maxAmount);
    return { ...target, value, counted, active: value > target.activation, fallbackReplicas: null, fault: null };
  }
  const silent = { ...target, value: null, active: false, fault: fault ?? "has not been read" };
  if (policy.fallback === undefined || failures <= policy.fallback.failureThreshold) {
    return { ...silent, counted: null, fallbackReplicas: null };
  }
  const replicas = fallbackReplicas(policy.fallback, currentReplicas);
  // The value from which the target makes that many replicas; a whole value is spread over those that are ready.
  const spread = target.metricType === "average" ? 1 : Math.max(1, readyReplicas ?? currentReplicas);
  return { ...silent, counted: (target.target * replicas) / spread, fallbackReplicas: replicas };
}

/** Returns the value of each trigger, with the fallback where one has failed too often; a formula counts as one trigger. */
export function triggerValues(policy: Policy, observation: TriggerObservation): TriggerValue[] {
  const { triggers, formula } = policy;
  const readings = triggers.map((trigger) => {
    const reading = observation.readings.find((each) => each.trigger === trigger.name);
    const value = reading?.value ?? null;
    const usable = value !== null && Number.isFinite(value);
    const fault = usable
      ? null
      : value === null
        ? (reading?.reason ?? "has not been read")
        : `gave ${value}, which is not a finite number`;
    return { value: usable ? value : null, failures: reading?.failures ?? 0, fault };
  });
  if (formula === undefined) {
    return triggers.map((trigger, index) =>
      assess(trigger, readings[index] as (typeof readings)[number], policy, observation),
    );
  }
  const { expression, target, metricType, activation } = formula;
  const names = triggers.map(({ name }) => name);
  const parsed = parseFormula(expression, names);
  const used = "fault" in parsed ? names : parsed.names;
  const readingOf = (name: string) => readings[names.indexOf(name)];
  const silent = used.filter((name) => readingOf(name)?.value === null);
  const failures = Math.max(0, ...silent.map((name) => readingOf(name)?.failures ?? 0));
  const result =
    "fault" in parsed
      ? parsed
      : silent.length > 0
        ? { fault: silent.map((name) => `${name}: ${readingOf(name)?.fault}`).join("; ") }
        : parsed.evaluate(Object.fromEntries(names.map((name, index) => [name, readings[index]?.value ?? 0])));
  const said =
    "value" in result
      ? { value: result.value, failures: 0, fault: null }
      : { value: null, failures, fault: result.fault };
  return [assess({ name: "formula", target, metricType, activation }, said, policy, observation)];
}
