import { type Static, Type } from "@sinclair/typebox";
import { integer } from "#platform/config-fields.ts";

/** Service that users are promised. */
export const SloConfig = Type.Object(
  {
    p95Ms: integer(1000, [1, 600_000], "95th percentile of latency, ms, that users are promised"),
    availability: Type.Number({
      default: 0.999,
      minimum: 0.5,
      maximum: 0.99999,
      description: "share of requests that must not be refused for want of capacity",
    }),
  },
  {
    additionalProperties: false,
    default: {},
    description: "What users are promised; while they get less, no power is saved.",
  },
);
export type SloConfig = Static<typeof SloConfig>;
