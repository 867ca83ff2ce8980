import { type Static, Type } from "@sinclair/typebox";
import { ScalingRules } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { literals, strictObject } from "#platform/schema-parts.ts";
import { formulaFunctions, formulaWords, parseFormula } from "./formula.ts";

const count = { minimum: 0, maximum: 1_000_000 } as const;
/** Bounds of a target: HPA counts in thousandths, less than one is nothing. */
const target = { minimum: 0.001, maximum: 1e18 } as const;

const MetricType = Type.Union([Type.Literal("average"), Type.Literal("value")], {
  default: "average",
  description:
    "average: the target applies to each replica's share of the value; value: to the whole value, regardless of replicas",
});

/** Fields by which a trigger's value becomes a number of replicas, wherever the value comes from. */
export const triggerTarget = {
  name: Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_]{0,63}$", description: "its name in formulas" }),
  target: Type.Number(target),
  metricType: MetricType,
  activation: Type.Number({
    default: 0,
    description: "active only above this; used only if there may be no replicas",
  }),
};
export const TriggerTarget = strictObject(triggerTarget);
export type TriggerTarget = Static<typeof TriggerTarget>;

export const triggerRules = {
  formula: Type.Optional(
    strictObject(
      {
        expression: Type.String({
          minLength: 1,
          description: `over the triggers' names: + - * / % ^, comparisons, and or not, a ? b : c, ${formulaFunctions.join(" ")}`,
        }),
        target: Type.Number(target),
        metricType: MetricType,
        activation: Type.Number({ default: 0 }),
      },
      { description: "replaces the triggers' own targets" },
    ),
  ),
  fallback: Type.Optional(
    strictObject(
      {
        failureThreshold: Type.Integer({
          default: 3,
          minimum: 0,
          description: "the fallback applies after more than this many failures in a row",
        }),
        replicas: Type.Integer(count),
        behavior: {
          ...literals("static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
          default: "static",
        },
      },
      { description: "replicas that a failing trigger asks for" },
    ),
  ),
  idleReplicas: Type.Optional(
    Type.Integer({ ...count, description: "fewer than minReplicas: the number while no trigger is active" }),
  ),
  cooldownS: Type.Number({
    default: 300,
    minimum: 0,
    description: "time after the last activity before there are none",
  }),
  initialCooldownS: Type.Number({ default: 0, minimum: 0, description: "the same after the policy is loaded" }),
  toleranceUp: Type.Number({ default: 0.1, minimum: 0 }),
  toleranceDown: Type.Number({ default: 0.1, minimum: 0 }),
  behavior: Type.Optional(
    strictObject({ scaleUp: Type.Optional(ScalingRules), scaleDown: Type.Optional(ScalingRules) }),
  ),
};

export const TriggerPolicy = strictObject({
  minReplicas: Type.Integer({ ...count, default: 0 }),
  maxReplicas: Type.Integer({ ...count, default: 100, minimum: 1 }),
  triggers: Type.Array(TriggerTarget, { minItems: 1, maxItems: 100 }),
  ...triggerRules,
});
export type TriggerPolicy = Static<typeof TriggerPolicy>;

/** Checks what the schema can't say of triggers and formula; each line begins with the path. */
export function checkTriggerPolicy(
  policy: Pick<TriggerPolicy, "minReplicas" | "maxReplicas" | "idleReplicas" | "formula"> & {
    readonly triggers: readonly { readonly name: string }[];
  },
): string[] {
  const { minReplicas, maxReplicas, idleReplicas, formula, triggers } = policy;
  const lines: string[] = [];
  if (minReplicas > maxReplicas) {
    lines.push(`minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`);
  }
  if (idleReplicas !== undefined && idleReplicas >= minReplicas) {
    lines.push(`idleReplicas: expected fewer than minReplicas (${minReplicas}), got ${idleReplicas}`);
  }
  const names = new Set<string>();
  for (const [index, { name }] of triggers.entries()) {
    if (names.has(name)) lines.push(`triggers.${index}.name: expected a name used once, got "${name}" again`);
    if (formula !== undefined && (formulaWords.has(name) || formulaFunctions.includes(name))) {
      lines.push(`triggers.${index}.name: expected a name that is not a word of formulas, got "${name}"`);
    }
    names.add(name);
  }
  if (formula !== undefined) {
    const parsed = parseFormula(formula.expression, [...names]);
    if ("fault" in parsed) lines.push(`formula.expression: ${parsed.fault}`);
    else if (parsed.names.length === 0) lines.push("formula.expression: expected the name of a trigger, got none");
  }
  return lines;
}
