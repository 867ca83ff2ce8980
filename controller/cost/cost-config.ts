import { type Static, Type } from "@sinclair/typebox";
import { Line, number, orNull, Path } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";

const day = (description: string) =>
  Type.String({ pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", title: "a day such as 2026-12-01", description });

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
    services: orNull(
      Path,
      "use of services outside the fleet (YAML or JSON), for advice on savings: storage, CDN, functions, DNS, monitoring, instances; null: none is known",
    ),
    timeZone: Type.String({
      ...{ default: "UTC", maxLength: 64 },
      description:
        "zone in which a window's today, week and month begin: UTC, ±HH:MM or a name time zone of the IANA database, e.g. Europe/Berlin",
    }),
    carbonUsdPerTonne: number(
      0,
      [0, 10_000],
      "price of a tonne of CO2 that plans count on top of the tariff; no bill has it",
    ),
    planned: Type.Array(
      strictObject({
        what: { ...Line, maxLength: 200, description: "name of the change, e.g. two more devices" },
        from: day("first day"),
        until: orNull(day("day"), "day from which it no longer holds; null: it stays"),
        usdPerDay: Type.Number({ minimum: -1e6, maximum: 1e6, description: "cost of a day; below 0: what is saved" }),
      }),
      { default: [], maxItems: 100, description: "known changes of cost, for forecasts of spend" },
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
