import { type Static, Type } from "@sinclair/typebox";
import { integer } from "#platform/config-fields.ts";

/** Service that users are promised. */
export const SloConfig = Type.Object(
  {
    p95Ms: integer(1000, [1, 600_000], "target of the 95th percentile latency, ms"),
    availability: Type.Number({
      default: 0.999,
      minimum: 0.5,
      maximum: 0.99999,
      description: "target share of requests that are not refused for lack of capacity",
    }),
  },
  {
    additionalProperties: false,
    default: {},
    description: "Service level objective (SLO); while it is missed, no power is saved.",
  },
);
export type SloConfig = Static<typeof SloConfig>;
