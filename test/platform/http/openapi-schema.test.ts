import { expect, test } from "bun:test";
import { asOpenApi30 } from "#platform/http/openapi-schema.ts";

const none = { type: "null" };
test.each([
  { name: "one value", part: { const: "a", type: "string" }, expected: { enum: ["a"], type: "string" } },
  {
    name: "one kind or null: what is said of both stays",
    part: { anyOf: [{ type: "integer", minimum: 1 }, none], description: "d" },
    expected: { type: "integer", minimum: 1, description: "d", nullable: true },
  },
  {
    name: "several kinds or null",
    part: { anyOf: [{ type: "string" }, none, { const: 1 }] },
    expected: { anyOf: [{ type: "string" }, { enum: [1] }], nullable: true },
  },
  { name: "kinds without null", part: { anyOf: [{ type: "string" }] }, expected: { anyOf: [{ type: "string" }] } },
  {
    name: "inside",
    part: { items: [{ properties: { a: { anyOf: [none, { const: 2 }] } } }] },
    expected: { items: [{ properties: { a: { enum: [2], nullable: true } } }] },
  },
  {
    name: "examples stay as they are",
    part: { example: { const: 1, anyOf: [none] }, default: { const: 1 } },
    expected: { example: { const: 1, anyOf: [none] }, default: { const: 1 } },
  },
])("$name", ({ part, expected }) => {
  expect(asOpenApi30(part)).toEqual(expected as ReturnType<typeof asOpenApi30>);
});
