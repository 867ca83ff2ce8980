import { type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { UsageError } from "#platform/errors.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { userInfoMistakes, withAuthorization } from "#platform/fetch/split-credentials.ts";
import { schemaOfInput } from "#platform/schema-of-input.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { ScalingPolicy } from "./scaling-policy.ts";
import { checkSchedules, Schedule } from "./schedules/schedule.ts";
import { agentMetricFault } from "./triggers/agent-metric.ts";
import { checkTriggerPolicy } from "./triggers/trigger-rules.ts";
import { triggerKinds } from "./triggers/trigger-source.ts";

/** Schema of the policy without its triggers: those are checked by their kind, since "expected union value" is no help. */
const Outline = strictObject({ ...ScalingPolicy.properties, triggers: Type.Array(Type.Unknown()) });

function triggerMistakes(trigger: unknown): string[] {
  const kind = Object(trigger).kind;
  const known = Object.keys(triggerKinds);
  if (!known.includes(kind)) {
    return [
      `kind: expected one of ${known.map((name) => `"${name}"`).join(", ")}, got ${JSON.stringify(kind) ?? "nothing"}`,
    ];
  }
  const schema: TSchema = triggerKinds[kind as keyof typeof triggerKinds];
  const lines = explainMistakes(schema, Value.Default(schema, Value.Clone(trigger)));
  const { metric } = Object(trigger);
  if (kind === "agents" && typeof metric === "string") {
    const fault = agentMetricFault(metric);
    if (fault !== null) lines.push(`metric: ${fault}`);
  }
  return lines;
}

/** Checks what the schema can't say, in the parts that are well-formed: a mistake in one does not hide those of another. */
function checkMeaning(policy: ScalingPolicy): string[] {
  const lines: string[] = [];
  const { minReplicas, maxReplicas, schedules, triggers, pause, load, prediction } = policy;
  const limitsKnown = Number.isInteger(minReplicas) && Number.isInteger(maxReplicas);
  if (Array.isArray(triggers)) {
    const named = triggers.map((trigger) => ({ name: String(Object(trigger).name ?? "") }));
    const formula = Value.Check(Type.Object({ expression: Type.String() }), policy.formula)
      ? { formula: policy.formula }
      : {};
    const idle = typeof policy.idleReplicas === "number" ? { idleReplicas: policy.idleReplicas } : {};
    if (limitsKnown)
      lines.push(...checkTriggerPolicy({ minReplicas, maxReplicas, triggers: named, ...formula, ...idle }));
    if (triggers.length === 0) {
      for (const key of ["formula", "fallback", "idleReplicas"] as const) {
        if (policy[key] !== undefined) lines.push(`${key}: expected triggers beside it, got none`);
      }
      if (load === false && prediction === undefined && Array.isArray(schedules) && schedules.length === 0) {
        lines.push("load: expected true, triggers, prediction or schedules, got a policy that follows none of them");
      }
    }
  }
  if (Array.isArray(schedules)) {
    // An unknown key, or another schedule that can't be read, does not hide what is wrong with this one.
    const legible = schedules.map((schedule) => {
      const known = Value.Clean(Schedule, Value.Clone(schedule));
      return Value.Check(Schedule, known) ? known : null;
    });
    lines.push(...checkSchedules(legible).map((line) => `schedules.${line}`));
    for (const [index, schedule] of schedules.entries()) {
      if (!limitsKnown || minReplicas > maxReplicas || typeof schedule !== "object" || schedule === null) continue;
      for (const key of ["floor", "ceiling", "exact"] as const) {
        const value = schedule[key];
        if (typeof value === "number" && (value < minReplicas || value > maxReplicas)) {
          lines.push(
            `schedules.${index}.${key}: expected ${minReplicas} to ${maxReplicas} (minReplicas, maxReplicas), got ${value}`,
          );
        }
      }
    }
  }
  if (pause?.kind === "at" && pause.replicas === undefined)
    lines.push("pause.replicas: expected a number with at, got nothing");
  if (pause?.kind !== undefined && pause.kind !== "at" && pause.replicas !== undefined) {
    lines.push(`pause.replicas: expected it with at only, got it with ${pause.kind}`);
  }
  if (pause?.replicas !== undefined && limitsKnown && pause.replicas > maxReplicas) {
    lines.push(`pause.replicas: expected at most maxReplicas (${maxReplicas}), got ${pause.replicas}`);
  }
  return lines;
}

/** Keys whose default is a list: an object in their place gets the defaults as well, and would pass for an empty list. */
const listKeys = ["schedules", "triggers"] as const;

/** Reads a policy, fills in its defaults and lists all mistakes, one line each, beginning with the path. */
function readPolicy(input: unknown): { readonly value: unknown; readonly mistakes: string[] } {
  const value = Value.Default(ScalingPolicy, Value.Clone(input ?? {}));
  if (typeof input === "object" && input !== null && typeof value === "object" && value !== null) {
    for (const key of listKeys) {
      const given: unknown = Reflect.get(input, key);
      if (Object.hasOwn(input, key) && !Array.isArray(given)) Reflect.set(value, key, given);
    }
  }
  const mistakes = explainMistakes(Outline, value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { value, mistakes };
  const { triggers } = value as { triggers?: unknown };
  if (Array.isArray(triggers)) {
    for (const [index, trigger] of triggers.entries()) {
      mistakes.push(...triggerMistakes(trigger).map((line) => `triggers.${index}.${line}`));
    }
  }
  const addresses = userInfoMistakes(value, ["triggers.*.url"]);
  return { value, mistakes: [...mistakes, ...addresses, ...checkMeaning(value as ScalingPolicy)] };
}

/** Lists all mistakes of `input` as a policy; none when it is one. */
export function checkScalingPolicy(input: unknown): string[] {
  return readPolicy(input).mistakes;
}

/**
 * Parses a policy and fills in its defaults; users and passwords in addresses are split off.
 * @throws UsageError naming `source` and all mistakes at once.
 */
export function parseScalingPolicy(input: unknown, source: string): ScalingPolicy {
  const { value, mistakes } = readPolicy(input);
  if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
  const policy = value as ScalingPolicy;
  const triggers = policy.triggers.map((trigger) => ("url" in trigger ? withAuthorization(trigger) : trigger));
  return { ...policy, triggers };
}

/** Returns the JSON Schema of a policy file, for editors and checks elsewhere. */
export function policyJsonSchema(): object {
  const schema = schemaOfInput(ScalingPolicy) as object;
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title: "ScalingPolicy", ...schema };
}
