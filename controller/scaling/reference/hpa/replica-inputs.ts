import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";

const optional = <T extends TSchema>(schema: T) => Type.Optional(orNull(schema));
const count = { minimum: 0, maximum: 1_000_000 } as const;
/** Upper bound far above any amount of bytes, far below where sums lose precision. */
const maxAmount = 1e18;
const target = { exclusiveMinimum: 0, maximum: maxAmount } as const;

const MetricSpec = strictObject({
  kind: literals("resource", "replica", "external", "object"),
  name: Type.String({ minLength: 1 }),
  targetUtilizationPercent: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: "resource: mean use as a share of what is requested, %",
    }),
  ),
  targetAverageValue: Type.Optional(Type.Number({ ...target, description: "per replica" })),
  targetValue: Type.Optional(Type.Number({ ...target, description: "external, object: in all" })),
});
export type MetricSpec = Static<typeof MetricSpec>;

const ratePolicy = strictObject({
  type: literals("count", "percent"),
  value: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  periodS: Type.Number({ exclusiveMinimum: 0 }),
});

export const ScalingRules = strictObject({
  stabilizationWindowS: Type.Optional(Type.Number({ minimum: 0 })),
  selectPolicy: Type.Optional(literals("max", "min", "disabled")),
  policies: Type.Optional(Type.Array(ratePolicy, { minItems: 1 })),
});
export type ScalingRules = Static<typeof ScalingRules>;

const ReplicaPolicy = strictObject({
  minReplicas: Type.Integer({ ...count, default: 1 }),
  maxReplicas: Type.Integer({ ...count, minimum: 1 }),
  toleranceUp: Type.Number({ default: 0.1, minimum: 0 }),
  toleranceDown: Type.Number({ default: 0.1, minimum: 0 }),
  initializationPeriodS: Type.Number({ default: 300, minimum: 0 }),
  initialReadinessDelayS: Type.Number({ default: 30, minimum: 0 }),
  metrics: Type.Array(MetricSpec, { minItems: 1 }),
  behavior: Type.Optional(
    strictObject({ scaleUp: Type.Optional(ScalingRules), scaleDown: Type.Optional(ScalingRules) }),
  ),
  legacyScaleUpLimit: Type.Optional(
    strictObject(
      { factor: Type.Number({ default: 2, minimum: 1 }), minimum: Type.Number({ default: 4, minimum: 0 }) },
      { description: "replaces the rules: one 300 s window, one cap on growth" },
    ),
  ),
});
export type ReplicaPolicy = Static<typeof ReplicaPolicy>;

const Replica = strictObject({
  id: Type.String({ minLength: 1 }),
  phase: literals("running", "pending", "failed", "deleting"),
  ready: optional(Type.Boolean()),
  startedAgoS: optional(Type.Number()),
  readyChangedAgoS: optional(Type.Number({ description: "since it last became ready or unready" })),
  requests: Type.Optional(Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: maxAmount }))),
});
export type Replica = Static<typeof Replica>;

const Sample = strictObject({
  metric: Type.String({ minLength: 1 }),
  replica: optional(Type.String()),
  value: Type.Union([Type.Number({ minimum: -maxAmount, maximum: maxAmount }), Type.Null()], {
    description: "null: not known",
  }),
  ageS: optional(Type.Number()),
  windowS: optional(Type.Number({ minimum: 0 })),
});
export type Sample = Static<typeof Sample>;

export const History = strictObject(
  {
    recommendations: Type.Array(strictObject({ agoS: Type.Number({ minimum: 0 }), replicas: Type.Integer(count) }), {
      default: [],
      description: "earlier proposals, before stabilisation",
    }),
    changes: Type.Array(strictObject({ agoS: Type.Number({ minimum: 0 }), delta: Type.Integer() }), {
      default: [],
      description: "replicas added (positive) or removed",
    }),
  },
  { default: {} },
);
export type History = Static<typeof History>;

/** Input of `decideReplicas`: a policy and the state of the replicas, with ages in seconds before now. */
export const ReplicaInputs = strictObject({
  policy: ReplicaPolicy,
  currentReplicas: Type.Integer(count),
  replicas: Type.Array(Replica, { default: [] }),
  samples: Type.Array(Sample, { default: [] }),
  failedMetrics: Type.Array(Type.String(), { default: [], description: "metrics that could not be fetched" }),
  history: History,
});
export type ReplicaInputs = Static<typeof ReplicaInputs>;

const targetsOf = {
  resource: ["targetUtilizationPercent", "targetAverageValue"],
  replica: ["targetAverageValue"],
  external: ["targetValue", "targetAverageValue"],
  object: ["targetValue", "targetAverageValue"],
} as const;

/** Checks what a schema can't say: limits in order, one target per metric that fits its kind, ids used once. */
export function checkReplicaInputs({ policy, replicas }: ReplicaInputs): string[] {
  const lines: string[] = [];
  if (policy.minReplicas > policy.maxReplicas) {
    lines.push(`policy.minReplicas: expected at most maxReplicas (${policy.maxReplicas}), got ${policy.minReplicas}`);
  }
  for (const [index, metric] of policy.metrics.entries()) {
    const given = Object.keys(metric).filter((key) => key.startsWith("target"));
    const fitting: readonly string[] = targetsOf[metric.kind];
    if (given.length !== 1 || !fitting.includes(given[0] as string)) {
      const expected = fitting.length === 1 ? fitting[0] : `one of ${fitting.join(", ")}`;
      lines.push(`policy.metrics.${index}: expected ${expected}, got ${given.join(" and ") || "no target"}`);
    }
  }
  const ids = new Set<string>();
  for (const [index, { id }] of replicas.entries()) {
    if (ids.has(id)) lines.push(`replicas.${index}.id: expected an id used once, got "${id}" again`);
    ids.add(id);
  }
  return lines;
}
