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
    expected: { anyOf: [{ type: "string", nullable: true }, { enum: [1, null] }] },
  },
  {
    name: "one of some words, or null",
    part: {
      anyOf: [
        {
          anyOf: [
            { const: "a", type: "string" },
            { const: "b", type: "string" },
          ],
        },
        none,
      ],
    },
    expected: {
      anyOf: [
        { enum: ["a", null], type: "string", nullable: true },
        { enum: ["b", null], type: "string", nullable: true },
      ],
    },
  },
  {
    name: "nullable words get null among them",
    part: { type: "string", enum: ["a", "b"], nullable: true },
    expected: { type: "string", enum: ["a", "b", null], nullable: true },
  },
  {
    name: "nullable alternatives are so each",
    part: { anyOf: [{ enum: ["a"], type: "string" }, { type: "integer" }], nullable: true, description: "d" },
    expected: {
      anyOf: [
        { enum: ["a", null], type: "string", nullable: true },
        { type: "integer", nullable: true },
      ],
      description: "d",
    },
  },
  { name: "kinds without null", part: { anyOf: [{ type: "string" }] }, expected: { anyOf: [{ type: "string" }] } },
  {
    name: "inside",
    part: { items: [{ properties: { a: { anyOf: [none, { const: 2 }] } } }] },
    expected: { items: [{ properties: { a: { enum: [2, null] } } }] },
  },
  {
    name: "a parameter with a default can be left out",
    part: { name: "limit", in: "query", required: true, schema: { type: "string", default: "100" } },
    expected: { name: "limit", in: "query", required: false, schema: { type: "string", default: "100" } },
  },
  {
    name: "a parameter without one can't",
    part: { name: "id", in: "path", required: true, schema: { type: "string" } },
    expected: { name: "id", in: "path", required: true, schema: { type: "string" } },
  },
  {
    name: "examples stay as they are",
    part: { example: { const: 1, anyOf: [none] }, default: { const: 1 } },
    expected: { example: { const: 1, anyOf: [none] }, default: { const: 1 } },
  },
])("$name", ({ part, expected }) => {
  expect(asOpenApi30(part)).toEqual(expected as ReturnType<typeof asOpenApi30>);
});

test("a bound that is not allowed itself is said as version 3.0 does", () => {
  expect(asOpenApi30({ type: "number", exclusiveMinimum: 0, maximum: 1 })).toEqual({
    ...{ type: "number", minimum: 0, exclusiveMinimum: true, maximum: 1 },
  });
});
