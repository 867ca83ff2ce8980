import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";

/** Rules by which a forecast is acted on. */
export const PredictionRules = strictObject({
  confidence: Type.Number({
    default: 0.85,
    minimum: 0,
    exclusiveMaximum: 1,
    description:
      "the forecast's lowest quantile above this is used: traffic stays below it with more than this probability",
  }),
  leadS: Type.Number({
    default: 120,
    minimum: 0,
    description: "steps sooner than this are left to the present load",
  }),
  horizonS: Type.Number({ default: 900, exclusiveMinimum: 0, description: "steps later than this do not count" }),
  tolerance: Type.Number({
    default: 0.2,
    minimum: 0,
    description: "a change of at most this share is not made",
  }),
  maxScaleUpFactor: Type.Number({
    default: 2,
    exclusiveMinimum: 1,
    description: "one decision adds at most this factor",
  }),
  maxAgeS: Type.Number({ default: 300, exclusiveMinimum: 0, description: "an older forecast does not count" }),
});
export type PredictionRules = Static<typeof PredictionRules>;

/** A forecast as quantiles: in the k-th step the rate stays below `qps[k]` with probability `level`. */
export const QuantileForecast = strictObject({
  ageS: Type.Number({ default: 0, minimum: 0, description: "since it was made" }),
  stepS: Type.Number({ default: 60, exclusiveMinimum: 0 }),
  quantiles: Type.Array(
    strictObject({
      level: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
      qps: Type.Array(Type.Union([Type.Number(), Type.Null()]), { minItems: 1, maxItems: 1440 }),
      coverage: Type.Optional(
        Type.Number({ minimum: 0, maximum: 1, description: "share of past rates that stayed below it" }),
      ),
    }),
    { minItems: 1, maxItems: 99 },
  ),
});
export type QuantileForecast = Static<typeof QuantileForecast>;

const count = { minimum: 0, maximum: 1_000_000 } as const;

export const PredictionInput = strictObject({
  policy: strictObject(
    {
      ...PredictionRules.properties,
      minReplicas: Type.Integer({ ...count, default: 2 }),
      maxReplicas: Type.Integer({ ...count, default: 20, minimum: 1 }),
      capacityPerReplicaQps: Type.Number({ default: 350, exclusiveMinimum: 0 }),
      targetUtilization: Type.Number({ default: 0.8, exclusiveMinimum: 0, maximum: 1 }),
    },
    { default: {} },
  ),
  currentReplicas: Type.Integer(count),
  reactiveNeed: Type.Integer({ ...count, default: 0, description: "replicas that the present load needs" }),
  forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
});
export type PredictionInput = Static<typeof PredictionInput>;

/** Checks what the schema can't say. One line per mistake, path first. */
export function checkPredictionInput({ policy: { minReplicas, maxReplicas } }: PredictionInput): string[] {
  if (minReplicas <= maxReplicas) return [];
  return [`policy.minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`];
}
