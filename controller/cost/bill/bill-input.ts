import { type Static, Type } from "@sinclair/typebox";
import { strict, strictObject } from "#platform/schema-parts.ts";
import { Charge, InstancePrice, PriceCatalogue } from "../prices/catalogue.ts";

const maxMoney = 1e12;
const name = (description: string) => Type.String({ minLength: 1, maxLength: 256, description });
const amount = (description: string) => Type.Number({ minimum: -maxMoney, maximum: maxMoney, description });
const count = (description: string) => Type.Number({ minimum: 0, maximum: 1e15, description });

const { type, option, region } = InstancePrice.properties;
const { service, item, per } = Charge.properties;

/** Part of a line: a quantity at a price, which is given or stands in the catalogue. */
export const BillPart = strictObject({
  what: name("what is paid for"),
  quantity: Type.Number({ minimum: -1e15, maximum: 1e15, description: "units; below 0 for what is taken off" }),
  price: Type.Optional(amount("price of a unit")),
  electricity: Type.Optional(strictObject({ region }, { description: "the tariff's price, for kilowatt-hours" })),
  instance: Type.Optional(strictObject({ type, option, region }, { description: "an instance's price, for hours" })),
  charge: Type.Optional(strictObject({ service, item, region, per }, { description: "a service's price" })),
});
export type BillPart = Static<typeof BillPart>;

const parts = Type.Array(BillPart, { maxItems: 1000, description: "what it is made of" });

const Side = strictObject({
  stated: Type.Optional(amount("amount as somebody states it")),
  parts: Type.Optional(parts),
});

/** Fields of a bill whose stated values are compared with the computed ones. */
export const statedFields = {
  before: amount("total before"),
  after: amount("total after"),
  saved: amount("saved"),
  savedPercent: amount("saved, in per cent of before"),
  perMillionBefore: amount("before, for a million requests"),
  perMillionAfter: amount("after, for a million requests"),
};

export const BillInput = strictObject({
  lines: Type.Array(strictObject({ name: name("name of the line"), before: Side, after: Side }), {
    ...{ minItems: 1, maxItems: 10_000, description: "lines of the bill, in months before and after" },
  }),
  stated: Type.Partial(strictObject(statedFields), {
    ...{ ...strict, default: {}, description: "sums as somebody states them" },
  }),
  claims: Type.Array(strictObject({ name: name("what is claimed"), stated: amount("amount claimed"), parts }), {
    ...{ default: [], maxItems: 1000, description: "other amounts that are stated, with what they are made of" },
  }),
  resources: Type.Array(
    strictObject({
      name: name("resource"),
      requested: count("how much is paid for"),
      used: count("how much is used, at p95"),
      line: Type.Optional(name("line of the bill that pays for it")),
    }),
    { default: [], maxItems: 1000, description: "what is requested and what is used" },
  ),
  requests: Type.Optional(count("requests a month")),
  prices: Type.Optional(PriceCatalogue),
  day: Type.Optional(
    Type.String({ pattern: "^20\\d\\d-\\d\\d-\\d\\d$", description: "day whose prices hold, as 2026-11-30" }),
  ),
});
export type BillInput = Static<typeof BillInput>;
