import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { fitToBounds } from "#protocol/fit-to-bounds.ts";

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const range = { minimum: 2, maximum: 9 };

describe("numbers", () => {
  test.each<[string, TSchema, unknown, unknown]>([
    ["within", Type.Number(range), 3.5, 3.5],
    ["above", Type.Number(range), 9.5, 9],
    ["below", Type.Number(range), -1, 2],
    ["endless", Type.Number(range), Number.POSITIVE_INFINITY, 9],
    ["not a number, with a minimum", Type.Number(range), Number.NaN, 2],
    ["not a number, without one", Type.Number(), Number.NaN, 0],
    ["without bounds", Type.Number(), -1e9, -1e9],
    ["a fraction for a whole number", Type.Integer(range), 3.5, 4],
    ["a fraction above a whole number", Type.Integer(range), 9.7, 9],
    ["a fraction that may be one", Type.Number(), 3.5, 3.5],
  ])("%s", (_name, schema, value, fitted) => {
    expect(fitToBounds(schema, value)).toBe(fitted);
  });
});

describe("a value that may be null", () => {
  test.each<[string, TSchema, unknown, unknown]>([
    ["an unknown figure", orNull(Type.Number(range)), Number.NaN, null],
    ["an endless figure", orNull(Type.Number(range)), Number.NEGATIVE_INFINITY, null],
    ["nothing", orNull(Type.Number(range)), undefined, null],
    ["null", orNull(Type.Number(range)), null, null],
    ["a figure beyond the bounds", orNull(Type.Number(range)), 12, 9],
    ["a whole figure beyond the bounds", orNull(Type.Integer(range)), 12, 9],
    ["a long text", orNull(Type.String({ maxLength: 2 })), "abc", "ab"],
    ["a long list", orNull(Type.Array(Type.Integer(), { maxItems: 1 })), [1, 2], [1]],
    ["an object", orNull(Type.Object({ n: Type.Integer(range) })), { n: 12 }, { n: 9 }],
    ["of another kind", orNull(Type.Integer(range)), "x", "x"],
  ])("%s", (_name, schema, value, fitted) => {
    expect(fitToBounds(schema, value)).toEqual(fitted);
  });

  test("an unknown figure that may not be null is none of the branches' lists", () => {
    const either = Type.Union([Type.Number(range), Type.String()]);
    expect(fitToBounds(either, Number.NaN)).toBe(2);
    expect(fitToBounds(either, undefined)).toBeUndefined();
  });

  test("words of a list of words stay as they are", () => {
    const words = Type.Union([Type.Literal("a"), Type.Literal("b"), Type.String({ maxLength: 3 })]);
    expect([fitToBounds(words, "a"), fitToBounds(words, "long")]).toEqual(["a", "lon"]);
    expect(fitToBounds(Type.Literal("a"), "other")).toBe("other");
    expect(fitToBounds(Type.Union([Type.Literal(1), Type.Literal(2)]), 3)).toBe(3);
  });
});

describe("texts, lists and objects", () => {
  const names = Type.Record(Type.String({ pattern: "^[a-z]$" }), Type.Integer(range), { maxProperties: 2 });

  test.each<[string, TSchema, unknown, unknown]>([
    ["a text without a limit", Type.String(), "abc", "abc"],
    ["a text that acts on a terminal", Type.String({ maxLength: 99 }), "a\u0007b", "a\u0007b"],
    ["a list without a limit", Type.Array(Type.Integer(range)), [1, 12], [2, 9]],
    ["a list of anything", { type: "array", maxItems: 1 } as unknown as TSchema, [1, 12], [1, 12]],
    ["a list in an object's place", Type.Object({ n: Type.Integer(range) }), [12], [12]],
    ["null in an object's place", Type.Object({ n: Type.Integer(range) }), null, null],
    ["an object in a number's place", Type.Integer(range), { n: 12 }, { n: 12 }],
    ["fields, known and not", Type.Object({ n: Type.Integer(range) }), { n: 12, m: 12 }, { n: 9, m: 12 }],
    ["a field named as an object's own", Type.Object({}), { constructor: 12 }, { constructor: 12 }],
    ["an object without fields", Type.Object({}), { n: 1 }, { n: 1 }],
    ["names that fit, up to the limit", names, { a: 1, B: 5, b: 12, c: 3 }, { a: 2, b: 9 }],
    [
      "names without a limit",
      Type.Record(Type.String({ pattern: "^[a-z]$" }), Type.Integer(range)),
      { a: 1, b: 12, c: 3 },
      { a: 2, b: 9, c: 3 },
    ],
  ])("%s", (name, schema, value, fitted) => {
    const result = fitToBounds(schema, value);
    if (name.includes("terminal")) expect(result).not.toContain("\u0007");
    else expect(result).toEqual(fitted);
  });
});
