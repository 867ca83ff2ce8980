import { type Static, Type } from "@sinclair/typebox";

const strict = { additionalProperties: false } as const;

/** When a forecast is acted on. */
export const PredictionRules = Type.Object(
  {
    confidence: Type.Number({
      default: 0.85,
      minimum: 0,
      exclusiveMaximum: 1,
      description:
        "the forecast's lowest quantile above this counts: with more than this probability the traffic stays below it",
    }),
    leadS: Type.Number({ default: 120, minimum: 0, description: "what comes sooner is left to the present load" }),
    horizonS: Type.Number({ default: 900, exclusiveMinimum: 0, description: "what comes later does not count" }),
    tolerance: Type.Number({
      default: 0.2,
      minimum: 0,
      description: "a change by no more than this share is not acted on",
    }),
    maxScaleUpFactor: Type.Number({ default: 2, exclusiveMinimum: 1, description: "the most that one decision adds" }),
    maxAgeS: Type.Number({ default: 300, exclusiveMinimum: 0, description: "an older forecast does not count" }),
  },
  strict,
);
export type PredictionRules = Static<typeof PredictionRules>;

/** A forecast as quantiles: `qps[k]` is the rate in the k-th step that stays undershot with probability `level`. */
export const QuantileForecast = Type.Object(
  {
    ageS: Type.Number({ default: 0, minimum: 0, description: "since it was made" }),
    stepS: Type.Number({ default: 60, exclusiveMinimum: 0 }),
    quantiles: Type.Array(
      Type.Object(
        {
          level: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
          qps: Type.Array(Type.Union([Type.Number(), Type.Null()]), { minItems: 1, maxItems: 1440 }),
          coverage: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, description: "the share of past rates that did stay below it" }),
          ),
        },
        strict,
      ),
      { minItems: 1, maxItems: 99 },
    ),
  },
  strict,
);
export type QuantileForecast = Static<typeof QuantileForecast>;

const count = { minimum: 0, maximum: 1_000_000 } as const;

/** What `decidePrediction` reads. */
export const PredictionInput = Type.Object(
  {
    policy: Type.Object(
      {
        ...PredictionRules.properties,
        minReplicas: Type.Integer({ ...count, default: 2 }),
        maxReplicas: Type.Integer({ ...count, default: 20, minimum: 1 }),
        capacityPerReplicaQps: Type.Number({ default: 350, exclusiveMinimum: 0 }),
        targetUtilization: Type.Number({ default: 0.8, exclusiveMinimum: 0, maximum: 1 }),
      },
      { ...strict, default: {} },
    ),
    currentReplicas: Type.Integer(count),
    reactiveNeed: Type.Integer({ ...count, default: 0, description: "what the present load needs" }),
    forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
  },
  strict,
);
export type PredictionInput = Static<typeof PredictionInput>;

/** What the schema can't say of the input. One line a mistake, path first. */
export function checkPredictionInput({ policy: { minReplicas, maxReplicas } }: PredictionInput): string[] {
  if (minReplicas <= maxReplicas) return [];
  return [`policy.minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`];
}
