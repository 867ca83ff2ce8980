import { type Static, Type } from "@sinclair/typebox";
import { literals, strictObject } from "#platform/schema-parts.ts";
import { createBuckets } from "./buckets.ts";

const maxAmount = 1e18;
const positive = Type.Number({ minimum: 1e-9, maximum: maxAmount });
const amount = Type.Number({ minimum: 0, maximum: maxAmount });
const time = Type.Number({ minimum: -maxAmount, maximum: maxAmount });
const share = Type.Number({ minimum: 0, maximum: 1 });

const BucketOptions = strictObject({
  scheme: literals("exponential", "linear"),
  maxValue: positive,
  firstBucketSize: Type.Optional(Type.Number({ ...positive, description: "exponential" })),
  ratio: Type.Optional(Type.Number({ minimum: 1.001, maximum: 1000, description: "exponential" })),
  bucketSize: Type.Optional(Type.Number({ ...positive, description: "linear" })),
  epsilon: Type.Number({ default: 1e-4, exclusiveMinimum: 0, description: "lighter buckets count as empty" }),
});
export type BucketOptions = Static<typeof BucketOptions>;

const Amounts = strictObject({ cpu: Type.Optional(amount), memory: Type.Optional(amount) });
export type Amounts = Static<typeof Amounts>;

const sizes = { cpuCores: amount, memoryBytes: amount };

/** Inputs of the steps of VPA's sizing, by kind. */
export const rightSizeInputs = {
  buckets: strictObject({
    kind: Type.Literal("buckets"),
    options: BucketOptions,
    startOf: Type.Array(Type.Integer({ minimum: 0 }), { default: [] }),
    find: Type.Array(Type.Number(), { default: [] }),
  }),
  percentile: strictObject({
    kind: Type.Literal("percentile"),
    options: BucketOptions,
    halfLifeS: Type.Optional(positive),
    samples: Type.Array(strictObject({ atS: Type.Optional(time), value: Type.Number(), weight: amount })),
    percentiles: Type.Array(share),
  }),
  confidence: strictObject({
    ...{ kind: Type.Literal("confidence"), ...sizes, multiplier: amount, exponent: Type.Number() },
    confidenceIntervalS: Type.Number({ default: 86_400, minimum: 1, maximum: maxAmount }),
    sampleCount: Type.Integer({ minimum: 0 }),
    firstSampleAtS: time,
    lastSampleAtS: time,
  }),
  margin: strictObject({
    kind: Type.Literal("margin"),
    ...sizes,
    marginFraction: Type.Number({ default: 0.15, minimum: 0 }),
  }),
  minResources: strictObject({
    ...{ kind: Type.Literal("minResources"), ...sizes },
    minCpuCores: Type.Number({ default: 0.025, minimum: 0 }),
    minMemoryBytes: Type.Number({ default: 262_144_000, minimum: 0 }),
    containers: Type.Integer({ default: 1, minimum: 1 }),
  }),
  oom: strictObject({
    kind: Type.Literal("oom"),
    intervalS: Type.Number({ default: 86_400, minimum: 1, maximum: maxAmount }),
    bumpRatio: Type.Number({ default: 1.2, minimum: 1 }),
    minBumpBytes: Type.Number({ default: 104_857_600, minimum: 0 }),
    events: Type.Array(
      strictObject({
        atS: time,
        type: literals("usage", "oom"),
        bytes: Type.Optional(Type.Number({ ...amount, description: "usage" })),
        requestBytes: Type.Optional(Type.Number({ ...amount, description: "oom" })),
      }),
    ),
  }),
  capping: strictObject({
    kind: Type.Literal("capping"),
    recommendation: strictObject({ target: Amounts, lowerBound: Amounts, upperBound: Amounts }),
    policy: strictObject({ minAllowed: Type.Optional(Amounts), maxAllowed: Type.Optional(Amounts) }, { default: {} }),
    globalMaxAllowed: Type.Optional(Amounts),
  }),
};
export type RightSizeInputs = { [K in keyof typeof rightSizeInputs]: Static<(typeof rightSizeInputs)[K]> };
export type RightSizeInput = RightSizeInputs[keyof RightSizeInputs];

/** Checks what a schema can't say: the figures that a scheme or an event needs, buckets that exist. */
export function checkRightSizeInput(input: RightSizeInput): string[] {
  if (input.kind === "oom") {
    return input.events.flatMap(({ type, ...event }, index) => {
      const key = type === "oom" ? "requestBytes" : "bytes";
      return event[key] === undefined ? [`events.${index}.${key}: expected number, got nothing`] : [];
    });
  }
  if (input.kind !== "buckets" && input.kind !== "percentile") return [];
  const needed = input.options.scheme === "linear" ? ["bucketSize"] : ["firstBucketSize", "ratio"];
  const missing = needed.filter((key) => input.options[key as keyof BucketOptions] === undefined);
  if (missing.length > 0) return missing.map((key) => `options.${key}: expected number, got nothing`);
  if (input.kind === "percentile") return [];
  const { count } = createBuckets(input.options);
  return input.startOf.flatMap((bucket, index) =>
    bucket < count ? [] : [`startOf.${index}: expected a bucket from 0 to ${count - 1}, got ${bucket}`],
  );
}
