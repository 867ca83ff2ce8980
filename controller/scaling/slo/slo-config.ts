import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { bounds, record } from "#protocol/bounds.ts";
import { ownValue } from "#protocol/own-value.ts";

const strict = { additionalProperties: false } as const;
const orNull = <T extends TSchema>(schema: T, options: object) => Type.Union([schema, Type.Null()], options);

const p95 = Type.Number({ minimum: 1, maximum: bounds.durationMs });
const latency = "target of the 95th percentile latency, ms; null: none";
const availability = { minimum: 0.5, exclusiveMaximum: 1 } as const;
const answered = "target share of answered requests; the rest is the error budget";

/** Service level that users are promised: what they feel outweighs every forecast and capacity. */
export const SloConfig = Type.Object(
  {
    p95Ms: orNull(p95, { default: 1000, description: latency }),
    availability: Type.Number({ ...availability, default: 0.999, description: answered }),
    windowS: Type.Number({
      default: 30,
      minimum: 15,
      maximum: 60,
      description: "seconds without a recurrence after which a problem is over",
    }),
    models: {
      ...record(
        128,
        Type.Object(
          {
            p95Ms: Type.Optional(orNull(p95, { description: latency })),
            availability: Type.Optional(Type.Number({ ...availability, description: answered })),
          },
          strict,
        ),
        64,
      ),
      default: {},
      description: "objectives of individual models, by id, where they differ from the fleet's",
    },
  },
  { ...strict, default: {}, description: "Service level objective (SLO) of the fleet." },
);
export type SloConfig = Static<typeof SloConfig>;

/** Objective of one model. */
export type Slo = Readonly<Pick<SloConfig, "p95Ms" | "availability">>;

/** Returns a model's objective: its own, or the fleet's. */
export function sloOf(config: SloConfig, model: string): Slo {
  const { p95Ms = config.p95Ms, availability = config.availability } = ownValue(config.models, model) ?? {};
  return { p95Ms, availability };
}
