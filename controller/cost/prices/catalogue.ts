import { type Static, type TProperties, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";

const price = (maximum: number, description: string) => Type.Number({ minimum: 0, maximum, description });
const name = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });
const region = Type.String({
  ...{ default: "", maxLength: 64 },
  description: "region (zone of the tariff) in which it holds; empty: in all that have no price of their own",
});
const clock = (description: string) => Type.String({ pattern: "^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$", description });
const day = (description: string) =>
  Type.String({ pattern: "^20\\d\\d-\\d\\d-\\d\\d$", description: `${description}, as 2026-11-30` });

export const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const purchaseOptions = ["on-demand", "spot", "reserved-1y", "reserved-3y", "committed"] as const;
export const units = [
  ...["request", "million-requests", "invocation", "gb", "gb-second", "gb-month", "hour", "month", "check", "trace"],
  ...["series", "token", "million-tokens", "kwh"],
] as const;

const literals = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { description },
    ),
  );

/** Entry that holds for a time, so that a change of price does not rewrite what was before. */
const dated = <T extends TProperties>(properties: T) =>
  strictObject({
    ...properties,
    from: day("first day on which it holds"),
    until: Type.Optional(day("first day on which it no longer holds; absent: until the next entry of the same thing")),
  });

export const Tariff = dated({
  region,
  perKwh: price(100, "price of a kilowatt-hour"),
  timeZone: Type.Optional(
    Type.String({ maxLength: 64, description: "zone of its hours, as of the region; absent: the catalogue's" }),
  ),
  hours: Type.Array(
    strictObject({
      days: Type.Array(literals(days, "day of the week"), {
        ...{ default: [...days], minItems: 1, maxItems: 7, description: "days on which these hours begin" },
      }),
      from: clock("first minute, in the tariff's time zone"),
      until: clock("first minute after it; at or before `from`: on the next day"),
      perKwh: price(100, "price of a kilowatt-hour in these hours"),
    }),
    { default: [], maxItems: 64, description: "hours with a price of their own" },
  ),
});

export const DevicePrice = dated({
  model: name("board of the device, as agents name it, or an agent's id"),
  purchase: price(10_000_000, "what a device was bought for"),
  lifetimeMonths: Type.Integer({ minimum: 1, maximum: 360, description: "months over which it is written off evenly" }),
  residual: Type.Number({ default: 0, minimum: 0, maximum: 10_000_000, description: "what it is worth afterwards" }),
  maintenancePerMonth: Type.Number({
    ...{ default: 0, minimum: 0, maximum: 1_000_000, description: "upkeep of a device a month of 730 hours" },
  }),
});

export const InstancePrice = dated({
  type: name("instance type, e.g. c7g.2xlarge"),
  region,
  option: literals(purchaseOptions, "how it is bought"),
  perHour: price(10_000, "price of an hour"),
});

export const Charge = dated({
  service: name("service, e.g. cdn, functions, storage, dns, monitoring"),
  item: Type.String({ default: "", maxLength: 128, description: "price class or kind, e.g. class-100, standard" }),
  region,
  per: literals(units, "unit that the price is for"),
  price: price(1_000_000, "price of a unit"),
});

const list = <T extends ReturnType<typeof dated>>(schema: T, description: string) =>
  Type.Array(schema, { default: [], maxItems: 10_000, description });

export const PriceCatalogue = strictObject(
  {
    currency: Type.String({ pattern: "^[A-Z]{3}$", description: "currency of all prices, by ISO 4217" }),
    timeZone: Type.String({
      ...{ default: "UTC", maxLength: 64 },
      description: "zone in which days begin: UTC, ±HH:MM or a name of the IANA database",
    }),
    places: Type.Integer({
      ...{ default: 2, minimum: 0, maximum: 6 },
      description: "decimal places of a bill's lines; sums are of exact amounts, rounded once, a half to the even one",
    }),
    electricity: list(Tariff, "tariffs by region"),
    devices: list(DevicePrice, "devices that are owned"),
    instances: list(InstancePrice, "instances by type, region and purchase option"),
    charges: list(Charge, "what is paid by request, GB, month and other units"),
  },
  { $id: "PriceCatalogue" },
);
export type PriceCatalogue = Static<typeof PriceCatalogue>;
export type Tariff = Static<typeof Tariff>;
export type DevicePrice = Static<typeof DevicePrice>;
export type InstancePrice = Static<typeof InstancePrice>;
export type Charge = Static<typeof Charge>;
/** Entry with the time for which it holds. */
export type DatedEntry = Tariff | DevicePrice | InstancePrice | Charge;
