import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";
import { amount, bounds, TimeMs, text } from "../bounds.ts";
import { described } from "./fields.ts";

/** Bounds of the electricity prices published to agents. */
export const tariffLimits = { maxRegions: 32, maxHours: 48 } as const;

/** Price of electricity in a region, hour by hour. */
export const RegionTariff = Type.Object(
  {
    region: described(text(64), "region of the agents it applies to, as in their births; empty: agents without one"),
    fromMs: described(TimeMs, "start of the first hour"),
    usdPerKwh: Type.Array(amount(bounds.tariffUsdPerKwh), {
      ...{ minItems: 1, maxItems: tariffLimits.maxHours },
      description: "mean price of a kilowatt-hour in each following hour; later ones are unknown",
    }),
  },
  strict,
);
export type RegionTariff = Static<typeof RegionTariff>;
