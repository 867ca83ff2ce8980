import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { describeValidation } from "#platform/http/body/describe-validation.ts";
import { optional } from "#platform/http/optional-field.ts";

const Texts = Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 3 });
const Tokens = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });
const Body = Type.Object(
  {
    inputs: Type.Union([Type.String({ minLength: 1 }), Texts, Tokens]),
    titled: Type.Optional(Type.Union([Texts, Tokens], { title: "texts or tokens" })),
    size: optional(Type.Integer({ minimum: 1 })),
    format: Type.Optional(Type.Union([Type.Literal("float"), Type.Literal("base64"), Type.Null()])),
    nested: Type.Optional(Type.Object({ flag: optional(Type.Boolean()) }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

test.each([
  { name: "a list too long", body: { inputs: ["a", "b", "c", "d"] }, param: "inputs", tooMany: true, has: "got [" },
  { name: "one of a list", body: { inputs: ["a", ""] }, param: "inputs.1", has: "greater or equal to 1" },
  { name: "a mixture", body: { inputs: ["a", 1] }, param: "inputs.1", has: "expected string, got 1" },
  { name: "a mixture of tokens", body: { inputs: [1, "a"] }, param: "inputs.1", has: 'expected integer, got "a"' },
  { name: "a part of a token", body: { inputs: [1.5] }, param: "inputs.0", has: "expected integer, got 1.5" },
  { name: "of no kind", body: { inputs: 3 }, param: "inputs", has: "expected string or array, got 3" },
  { name: "null where it may not be", body: { inputs: null }, param: "inputs", has: "expected string or array" },
  { name: "nothing of a list", body: { inputs: [] }, param: "inputs", has: "expected string or array, got []" },
  { name: "an empty text", body: { inputs: "" }, param: "inputs", has: "expected string length" },
  { name: "missing", body: {}, param: "inputs", has: "got nothing" },
  { name: "with a title", body: { inputs: "a", titled: [""] }, param: "titled", has: "expected texts or tokens" },
  {
    name: "a long one with a title",
    body: { inputs: "a", titled: ["1", "2", "3", "4"] },
    param: "titled",
    tooMany: true,
    has: "texts or tokens",
  },
  { name: "out of bounds", body: { inputs: "a", size: 0 }, param: "size", has: "greater or equal to 1, got 0" },
  { name: "of another kind", body: { inputs: "a", size: "1" }, param: "size", has: 'expected integer, got "1"' },
  {
    name: "no such constant",
    body: { inputs: "a", format: "hex" },
    param: "format",
    has: 'one of "float", "base64", got "hex"',
  },
  { name: "inside", body: { inputs: "a", nested: { flag: 1 } }, param: "nested.flag", has: "expected boolean, got 1" },
  { name: "unknown", body: { inputs: "a", nested: { flog: 1 } }, param: "nested.flog", has: "unknown field" },
])("$name: $param", ({ body, param, has, tooMany = false }) => {
  const mismatch = describeValidation(Body, body);
  expect(mismatch).toEqual({ param, tooMany, message: expect.stringContaining(has) });
  expect(mismatch.message).toStartWith(`${param}: `);
  expect(mismatch.message).not.toContain("union");
});

test("a body of thousands of wrong items is described by the first few", () => {
  const { message } = describeValidation(Tokens, new Array(5000).fill("x"));
  expect(message.split("; ")).toEqual([
    '0: expected integer, got "x"',
    '1: expected integer, got "x"',
    '2: expected integer, got "x"',
    "and more",
  ]);
});
