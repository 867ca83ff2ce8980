import { type Static, Type } from "@sinclair/typebox";
import { History } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { orNull } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { checkTriggerPolicy, TriggerPolicy } from "./trigger-rules.ts";

const count = { minimum: 0, maximum: 1_000_000 } as const;

/** Result of reading a trigger's source. */
export const TriggerReading = strictObject({
  trigger: Type.String({ minLength: 1 }),
  value: orNull(Type.Number(), "null: it could not be read"),
  failures: Type.Integer({ default: 0, minimum: 0, description: "failures in a row, including this one" }),
  reason: orNull(Type.String(), "why it could not be read"),
});
export type TriggerReading = Static<typeof TriggerReading>;

/** State of the triggers and number of replicas; ages in seconds before now. */
export const triggerObservation = {
  currentReplicas: Type.Integer(count),
  readyReplicas: Type.Optional(
    Type.Integer({ ...count, description: "number of replicas that the value is divided by; omitted: all" }),
  ),
  readings: Type.Array(TriggerReading, { default: [] }),
  lastActiveAgoS: orNull(Type.Number({ minimum: 0 }), "since a trigger was last active; null: never"),
  loadedAgoS: orNull(Type.Number({ minimum: 0 }), "since the policy was loaded; null: long ago"),
  history: History,
};

export const TriggerInput = strictObject({ policy: TriggerPolicy, ...triggerObservation });
export type TriggerInput = Static<typeof TriggerInput>;
export type TriggerObservation = Omit<TriggerInput, "policy">;

/** Checks what the schema can't say; each line begins with the path. */
export function checkTriggerInput({ policy, readings }: TriggerInput): string[] {
  const lines = checkTriggerPolicy(policy).map((line) => `policy.${line}`);
  const names = policy.triggers.map(({ name }) => name);
  const read = new Set<string>();
  for (const [index, { trigger }] of readings.entries()) {
    if (!names.includes(trigger)) {
      lines.push(`readings.${index}.trigger: expected one of ${names.join(", ")}, got "${trigger}"`);
    }
    if (read.has(trigger))
      lines.push(`readings.${index}.trigger: expected a trigger read once, got "${trigger}" again`);
    read.add(trigger);
  }
  return lines;
}
