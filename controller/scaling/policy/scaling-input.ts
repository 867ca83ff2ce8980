import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { UsageError } from "#platform/errors.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { checkScalingPolicy, parseScalingPolicy } from "./parse-scaling-policy.ts";
import { ScalingObservation } from "./scaling-observation.ts";
import { ScalingPolicy } from "./scaling-policy.ts";

export const ScalingInput = strictObject({ policy: ScalingPolicy, ...ScalingObservation.properties });
export type ScalingInput = Static<typeof ScalingInput>;

/** The same with the policy unread: `checkScalingPolicy` names its mistakes, as it knows the kinds of trigger. */
const Observed = strictObject({ policy: Type.Unknown(), ...ScalingObservation.properties });

/**
 * Parses an input and fills in its defaults.
 * @throws UsageError naming `source` and all mistakes of policy and observation at once.
 */
export function parseScalingInput(input: unknown, source: string): ScalingInput {
  const value = Value.Default(Observed, Value.Clone(input));
  const { policy, readings } = Object(value) as { policy?: unknown; readings?: unknown };
  const mistakes = [
    ...explainMistakes(Observed, value),
    ...(policy === undefined ? [] : checkScalingPolicy(policy).map((line) => `policy.${line}`)),
  ];
  const triggers: unknown = Object(policy).triggers;
  const names = Array.isArray(triggers) ? triggers.map((trigger) => Object(trigger).name) : [];
  for (const [index, reading] of (Array.isArray(readings) ? readings : []).entries()) {
    const { trigger } = Object(reading);
    if (typeof trigger !== "string" || names.includes(trigger)) continue;
    mistakes.push(`readings.${index}.trigger: expected one of ${names.join(", ") || "no trigger"}, got "${trigger}"`);
  }
  if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
  return { ...(value as ScalingInput), policy: parseScalingPolicy(policy, source) };
}
