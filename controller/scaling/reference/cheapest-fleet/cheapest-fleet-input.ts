import { type Static, Type } from "@sinclair/typebox";
import { orNull, strictObject } from "#platform/schema-parts.ts";

const maxAmount = 1e12;
const Rate = Type.Number({ minimum: 0, maximum: maxAmount });

/** Input of `decideCheapestFleet`: types of instance with their prices, and a demand of several classes of request. */
export const CheapestFleetInput = strictObject({
  name: Type.Optional(Type.String()),
  note: Type.Optional(Type.String()),
  types: Type.Array(
    strictObject({
      name: Type.String({ minLength: 1, maxLength: 128 }),
      costPerHour: Type.Number({ minimum: 0, maximum: maxAmount }),
      limit: Type.Union([Type.Integer({ minimum: 0, maximum: 1_000_000 }), Type.Null()], {
        description: "number of instances; null: any number",
      }),
      capacity: Type.Record(
        Type.String(),
        orNull(Type.Number({ exclusiveMinimum: 0, maximum: maxAmount }), "null: can't serve the class"),
        { description: "requests per second of a class that one instance carries if it serves only that class" },
      ),
    }),
    { minItems: 1, maxItems: 50 },
  ),
  demand: Type.Record(Type.String(), Rate, { description: "requests per second of each class" }),
  slicesPerClass: Type.Integer({
    minimum: 1,
    maximum: 1000,
    description: "number of equal parts that a class is cut into",
  }),
  minTotalInstances: Type.Integer({ default: 0, minimum: 0, maximum: 1_000_000 }),
  expect: Type.Optional(Type.Unknown({ description: "ignored, so that test cases can be used unchanged" })),
});
export type CheapestFleetInput = Static<typeof CheapestFleetInput>;

/** Checks what the schema can't say: names used once. */
export function checkCheapestFleetInput({ types }: CheapestFleetInput): string[] {
  const names = types.map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [`types.${index}.name: expected a name used once, got "${name}" again`],
  );
}
