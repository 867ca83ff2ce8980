import { type Static, Type } from "@sinclair/typebox";

/** The fleet's prices; an agent's own prices (from its birth) come first. */
export const CostConfig = Type.Object(
  {
    tariffUsdPerKwh: Type.Number({ default: 0.15, minimum: 0, maximum: 100, description: "price of electricity" }),
    amortisationUsdPerHour: Type.Number({
      default: 0.133,
      minimum: 0,
      maximum: 10_000,
      description:
        "cost of an hour of owning a device, in use or not. The default assumes 3,499 USD (a Jetson AGX Thor developer kit) written off evenly over 3 years of 8,760 hours",
    }),
    co2KgPerKwh: Type.Number({
      default: 0.45,
      minimum: 0,
      maximum: 100,
      description: "emissions of electricity; the default is assumed (near the world's mean): set your grid's",
    }),
  },
  { additionalProperties: false, default: {}, description: "The fleet's prices; an agent's own prices come first." },
);
export type CostConfig = Static<typeof CostConfig>;
