import { type Static, Type } from "@sinclair/typebox";
import { number, orNull, Path } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";

/** The fleet's prices; an agent's own prices (from its birth) come first. */
export const CostConfig = strictObject(
  {
    tariffUsdPerKwh: number(0.15, [0, 100], "price of electricity"),
    amortisationUsdPerHour: number(
      0.133,
      [0, 10_000],
      "cost of an hour of owning a device, in use or not. The default assumes 3,499 USD (a Jetson AGX Thor developer kit) written off evenly over 3 years of 8,760 hours",
    ),
    catalogue: orNull(
      Path,
      "price catalogue (YAML or JSON) by which minutes are priced; null: the prices here, which also count for what it lacks",
    ),
    timeZone: Type.String({
      ...{ default: "UTC", maxLength: 64 },
      description:
        "zone in which a window's today, week and month begin: UTC, ±HH:MM or a name of the IANA database, e.g. Europe/Berlin",
    }),
    carbonUsdPerTonne: number(
      0,
      [0, 10_000],
      "price of a tonne of CO2 that plans count on top of the tariff; no bill has it",
    ),
    co2KgPerKwh: number(
      0.45,
      [0, 100],
      "emissions of electricity; the default is assumed (near the world's mean): set your grid's",
    ),
  },
  { default: {}, description: "The fleet's prices; an agent's own prices come first." },
);
export type CostConfig = Static<typeof CostConfig>;
