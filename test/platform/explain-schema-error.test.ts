import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { decisionEntry } from "#cli/decide/decision-entry.ts";
import type { ServiceError } from "#platform/errors.ts";
import { explainFirstMistake, explainMistakes } from "#platform/explain-schema-error.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { invalidValue } from "#platform/http/body/read-json-body.ts";
import { optional } from "#platform/http/optional-field.ts";
import { isTooLong, isValid, schemaMistakes } from "#platform/schema-mistakes.ts";
import { decodeValue } from "#protocol/codec.ts";

const strict = { additionalProperties: false } as const;
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Color = Type.Union([Type.Literal("red"), Type.Literal("blue")]);
const Texts = Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 3 });
const Tokens = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });
const Shape = Type.Union([
  Type.Object({ kind: Type.Literal("circle"), radius: Type.Number() }, strict),
  Type.Object({ kind: Type.Literal("square"), side: Type.Number(), color: Type.Optional(Color) }, strict),
]);

/** Rows: what is wrong, the field's schema, its value, and the line of the mistake without "field". */
const rows: readonly [string, TSchema, unknown, string][] = [
  ["another type", Type.Integer(), "80", ': expected integer, got "80"'],
  ["another type, with bounds", Type.Integer({ minimum: 0 }), true, ": expected integer, got true"],
  ["a fraction", Type.Integer({ minimum: 0 }), 1.5, ": expected integer, got 1.5"],
  ["null", Type.Boolean(), null, ": expected boolean, got null"],
  ["infinity", Type.Number({ minimum: 0 }), Number.POSITIVE_INFINITY, ": expected number, got Infinity"],
  ["not a number", Type.Number({ minimum: 0 }), Number.NaN, ": expected number, got NaN"],
  ["missing", Type.Number({ minimum: 0 }), undefined, ": expected number, got nothing"],
  ["missing, one of several", Color, undefined, ': expected one of "red", "blue", got nothing'],
  ["missing, of any type", Type.Unknown(), undefined, ": expected a value, got nothing"],
  ["below the minimum", Type.Integer({ minimum: 1 }), 0, ": expected integer of at least 1, got 0"],
  ["above the maximum", Type.Number({ maximum: 1 }), 1.1, ": expected number of at most 1, got 1.1"],
  ["below a range", Type.Integer({ minimum: 1, maximum: 9 }), 0, ": expected integer from 1 to 9, got 0"],
  ["above a range", Type.Integer({ minimum: 1, maximum: 9 }), 10, ": expected integer from 1 to 9, got 10"],
  ["at an open end", Type.Number({ exclusiveMinimum: 0 }), 0, ": expected number above 0, got 0"],
  ["at an open upper end", Type.Number({ exclusiveMaximum: 9 }), 9, ": expected number below 9, got 9"],
  [
    "above a range with an open end",
    Type.Number({ exclusiveMinimum: 0, maximum: 1 }),
    2,
    ": expected number above 0 and at most 1, got 2",
  ],
  ["an empty text", Type.String({ minLength: 1 }), "", ': expected string of at least 1 character, got ""'],
  ["a long text", Type.String({ maxLength: 2 }), "abc", ': expected string of at most 2 characters, got "abc"'],
  [
    "a text of the wrong length",
    Type.String({ minLength: 2, maxLength: 3 }),
    "a",
    ': expected string of 2 to 3 characters, got "a"',
  ],
  ["a text of another form", Type.String({ pattern: "^a+$" }), "b", ': expected string that matches ^a+$, got "b"'],
  ["a title", Type.String({ pattern: "^a+$", title: "some a" }), "b", ': expected some a, got "b"'],
  ["a constant", Type.Literal("on"), "off", ': expected "on", got "off"'],
  ["a constant of another type", Type.Literal(1), "1", ': expected 1, got "1"'],
  ["none of the constants", Color, "green", ': expected one of "red", "blue", got "green"'],
  ["none of the constants, or null", orNull(Color), 3, ': expected "red" or "blue" or null, got 3'],
  ["none of the constants that may be left out", optional(Color), 3, ': expected one of "red", "blue", got 3'],
  ["none of several types", Type.Union([Type.String(), Texts]), 3, ": expected string or array, got 3"],
  [
    "none of a constant and a type",
    Type.Union([Type.Literal("auto"), Type.Integer()]),
    "x",
    ': expected "auto" or integer, got "x"',
  ],
  [
    "a number beside a constant",
    Type.Union([Type.Literal("auto"), Type.Integer({ minimum: 1 })]),
    0,
    ": expected integer of at least 1, got 0",
  ],
  ["a number that may be null", orNull(Type.Number()), "x", ': expected number or null, got "x"'],
  ["a number that may be left out", optional(Type.Integer({ minimum: 1 })), "1", ': expected integer, got "1"'],
  ["too few items", Texts, [], ": expected array of 1 to 3 items, got []"],
  ["too many items", Texts, ["a", "b", "c", "d"], ': expected array of 1 to 3 items, got ["a","b","c","d"]'],
  ["items at least", Tokens, [], ": expected array of at least 1 item, got []"],
  [
    "items twice",
    Type.Array(Type.Number(), { uniqueItems: true }),
    [1, 1],
    ": expected array elements to be unique, got [1,1]",
  ],
  ["one of the items", Texts, ["a", 7], ".1: expected string, got 7"],
  ["an item of a list of lists", Type.Array(Tokens), [[1], [2, -1]], ".1.1: expected integer of at least 0, got -1"],
  ["one of a pair", Type.Tuple([Type.Number(), Type.String()]), [1, 2], ".1: expected string, got 2"],
  ["an item of the lists that were meant", Type.Union([Texts, Tokens]), [1, "a"], '.1: expected integer, got "a"'],
  ["a list in an object's place", Type.Object({}), ["x", 1], ': expected object, got ["***",1]'],
  ["an object in a list's place", Texts, { a: "x" }, ': expected array, got {"a":"***"}'],
  ["a text in a list's place", Texts, "x", ": expected array, got a string"],
  ["inside an object", Type.Object({ on: Type.Boolean() }), { on: 1 }, ".on: expected boolean, got 1"],
  ["missing inside an object", Type.Object({ on: Type.Boolean() }), {}, ".on: expected boolean, got nothing"],
  ["an unknown field", Type.Object({ rate: Type.Number() }, strict), { rate: 1, zone: 2 }, ".zone: unknown field"],
  [
    "an unknown field of a near name",
    Type.Object({ rate: Type.Optional(Type.Number()) }, strict),
    { raet: 1 },
    ".raet: unknown field; did you mean rate?",
  ],
  ["a value of a record", Type.Record(Type.String(), Type.Number()), { a: 1, b: "x" }, '.b: expected number, got "x"'],
  [
    "a name that a record doesn't take",
    Type.Record(Type.String({ pattern: "^[a-z]$" }), Type.Number(), strict),
    { A: 1 },
    ".A: unknown field",
  ],
  [
    "too many fields",
    Type.Record(Type.String(), Type.Number(), { maxProperties: 1 }),
    { a: 1, b: 2 },
    ': expected object of at most 1 field, got {"a":1,"b":2}',
  ],
  ["of the kind that is meant", Shape, { kind: "circle", radius: "1" }, '.radius: expected number, got "1"'],
  ["a field of another kind", Shape, { kind: "circle", radius: 1, side: 2 }, ".side: unknown field"],
  ["no such kind", Shape, { kind: "cube" }, '.kind: expected one of "circle", "square", got "cube"'],
  ["no kind", Shape, { side: 1 }, '.kind: expected one of "circle", "square", got nothing'],
  ["no object", Shape, 1, ": expected object, got 1"],
  [
    "a text in place of an object or null",
    orNull(Type.Object({})),
    "s3cr3t",
    ": expected object or null, got a string",
  ],
  ["a text in place of what may be left out", optional(Type.Object({})), "s3cr3t", ": expected object, got a string"],
  [
    "null in place of an object or text",
    Type.Union([Type.Object({}), Type.String()]),
    null,
    ": expected object or string, got null",
  ],
  ["a constant that may be left out", optional(Type.Literal("on")), "off", ': expected "on", got "off"'],
  [
    "a title that covers a list",
    Type.Union([Texts, Type.Integer()], { title: "texts or a number" }),
    [],
    ": expected texts or a number, got []",
  ],
  [
    "an item of a list that a title covers",
    Type.Union([Texts, Tokens, Type.Integer()], { title: "texts, tokens or a number" }),
    ["a", ""],
    '.1: expected string of at least 1 character, got ""',
  ],
  [
    "an item of the wrong kind in a list that a title covers",
    Type.Union([Texts, Tokens], { title: "texts or tokens" }),
    [1, "a"],
    '.1: expected integer, got "a"',
  ],
  [
    "a list that a title covers, longer than any may be",
    Type.Union([Texts, Type.Integer()], { title: "texts or a number" }),
    ["a", "b", "c", ""],
    ': expected texts or a number, got ["a","b","c",""]',
  ],
  [
    "a field of an object that a title covers",
    Type.Union([Type.String(), Type.Object({ text: Type.String() })], { title: "a text, or {text}" }),
    {},
    ".text: expected string, got nothing",
  ],
  [
    "a text that a title covers",
    Type.Union([Type.String({ minLength: 1 }), Texts], { title: "a text or several" }),
    "",
    ': expected a text or several, got ""',
  ],
  [
    "another form at the only length",
    Type.String({ minLength: 1, maxLength: 1, pattern: "^a$" }),
    "b",
    ': expected string that matches ^a$, got "b"',
  ],
  [
    "no multiple, at the only value",
    Type.Number({ minimum: 2, maximum: 2, multipleOf: 4 }),
    2,
    ": expected number to be a multiple of 4, got 2",
  ],
  ["a list nested three deep", Type.Integer(), [[[1]]], ": expected integer, got [[[1]]]"],
  ["a list nested four deep", Type.Integer(), [[[[1]]]], ": expected integer, got an array of 1"],
  ["the longest text that is shown", Type.Integer(), "x".repeat(58), `: expected integer, got "${"x".repeat(58)}"`],
  ["a longer text", Type.Integer(), "x".repeat(59), ": expected integer, got a string of 59 characters"],
  ["a secret", Type.Integer({ writeOnly: true }), "s3cr3t", ": expected integer, got a string (not shown)"],
  ["an address with a password", Type.Integer(), "http://a:s3cr3t@b/", ': expected integer, got "http://b/"'],
  ["a long value", Type.Integer(), "x".repeat(5000), ": expected integer, got a string of 5000 characters"],
  ["a long list", Type.Integer(), new Array(5000).fill(1), ": expected integer, got an array of 5000"],
  ["a large object", Type.Integer(), { a: "x".repeat(99) }, ": expected integer, got an object"],
  ["a text that acts on a terminal", Type.Integer(), "\u001b[2J\u202e", ': expected integer, got "\\u001b[2J\\u202e"'],
];

const withField = (value: unknown) => (value === undefined ? {} : { field: value });
const whole = (schema: TSchema) => Type.Object({ field: schema }, strict);

describe("one mistake, one line: the field, what was expected and what came", () => {
  test.each(rows)("%s", (_name, schema, value, line) => {
    expect(explainMistakes(whole(schema), withField(value))).toEqual([`field${line}`]);
  });

  test.each(rows)("of the value itself: %s", (_name, schema, value, line) => {
    if (value === undefined) return;
    const path = line.startsWith(":") ? "message" : "";
    expect(explainFirstMistake(schema, value, "message")).toBe(`${path}${line.replace(/^\./, "")}`);
  });

  test.each(rows)("HTTP, configuration, decide and MQTT say the same: %s", (_name, schema, value, line) => {
    const said = `field${line}`;
    const input = withField(value);
    const error: ServiceError = invalidValue(whole(schema), input);
    expect([error.message, error.details?.["param"]]).toEqual([said, said.slice(0, said.indexOf(":"))]);
    expect(() => parseConfig(whole(schema), input, "x.yaml")).toThrow(`x.yaml is not valid:\n  ${said}`);
    const entry = decisionEntry("", whole(schema), () => 0);
    expect(() => entry.answer(input, "x.json")).toThrow(`x.json is not valid:\n  ${said}`);
    // MQTT leaves unknown fields out, and cleans texts before they are judged.
    const decoded = decodeValue(whole(schema), input);
    if (!said.includes("unknown field")) expect(decoded).toEqual({ ok: false, reason: said });
  });
});

test("a valid value has no mistake", () => {
  for (const [schema, value] of [
    [Shape, { kind: "square", side: 1 }],
    [orNull(Texts), null],
    [optional(Color), undefined],
  ] as const) {
    expect(explainMistakes(Type.Object({ field: schema }), { field: value })).toEqual([]);
    expect(explainFirstMistake(Type.Object({ field: schema }), { field: value })).toBeNull();
  }
});

test("every mistake is told, in the order of the schema, unknown fields last, each path once", () => {
  const Whole = Type.Object(
    { a: Texts, b: Type.Object({ c: Color, d: Type.Number() }, strict), e: Type.Null() },
    strict,
  );
  expect(explainMistakes(Whole, { f: 1, b: { d: "1", x: 0 }, a: ["", 2, "c", "d"] })).toEqual([
    'a: expected array of 1 to 3 items, got ["",2,"c","d"]',
    'a.0: expected string of at least 1 character, got ""',
    "a.1: expected string, got 2",
    'b.c: expected one of "red", "blue", got nothing',
    'b.d: expected number, got "1"',
    "b.x: unknown field",
    "e: expected null, got nothing",
    "f: unknown field",
  ]);
});

test.each([
  [Texts, ["a", "b", "c", "d"], true],
  [Texts, [], false],
  [Texts, "abcd", false],
  [Type.Union([Texts, Tokens], { title: "texts or tokens" }), ["a", "b", "c", "d"], true],
  [Type.Union([Texts, Tokens], { title: "texts or tokens" }), [1, 2, 3, -4], false],
  [Type.Union([Type.String(), Texts]), ["a", "b", "c", "d"], true],
  [Type.Union([Texts, Tokens], { title: "texts or tokens" }), ["a", "b", ""], false],
  [Type.Union([Texts, Type.Array(Type.String(), { maxItems: 5 })], { title: "lists" }), [1, "", "", ""], false],
  [Type.Union([Texts, Type.Array(Type.String(), { maxItems: 5 })], { title: "lists" }), ["", "", "", "", "", ""], true],
] as const)("%#: too many items are told apart from wrong ones", (schema, value, tooMany) => {
  const [mistake] = schemaMistakes(schema, value);
  expect(mistake === undefined ? undefined : isTooLong(mistake)).toBe(tooMany);
  const { code } = invalidValue(Type.Object({ inputs: schema }), { inputs: value });
  expect(code).toBe(tooMany ? "PAYLOAD_TOO_LARGE" : "INVALID_REQUEST");
});

test("a body of thousands of wrong items is explained by the first few", () => {
  expect(invalidValue(Tokens, new Array(5000).fill("x")).message.split("; ")).toEqual([
    '0: expected integer, got "x"',
    '1: expected integer, got "x"',
    '2: expected integer, got "x"',
    "and more",
  ]);
});

test("the fourth mistake is the first that is left out", () => {
  expect(invalidValue(Tokens, ["x", "x", "x"]).message.split("; ")).toHaveLength(3);
});

test.each([
  ["broker.password", 12345, '"***"'],
  ["serving.apiKeys", 12345, '"***"'],
  ["broker.passwordFile", 12345, '"***"'],
  ["triggers.tokenEnv", 12345, '"***"'],
  ["serving.port", 12345, "12345"],
])("%s of another type is shown only if it is no secret", (path, value, shown) => {
  const [outer, inner] = path.split(".") as [string, string];
  const schema = Type.Object({ [outer]: Type.Object({ [inner]: Type.Boolean() }) });
  expect(explainMistakes(schema, { [outer]: { [inner]: value } })).toEqual([`${path}: expected boolean, got ${shown}`]);
});

test("a value nested deeply is not looked into", () => {
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  expect(explainFirstMistake(Type.Object({ a: Type.Integer() }), { a: deep })).toBe(
    "a: expected integer, got an array of 1",
  );
});

test("a long field name is cut", () => {
  const [line] = explainMistakes(Type.Object({}, strict), { ["x\u001b".repeat(5000)]: 1 });
  expect(line?.length).toBeLessThan(300);
  expect(line).not.toContain("\u001b");
});

test("a schema is compiled once", () => {
  const schema = Type.Object({ a: Type.Integer() });
  expect([isValid(schema, { a: 1 }), isValid(schema, { a: 1.5 }), isValid(schema, { a: 2 })]).toEqual([
    true,
    false,
    true,
  ]);
});
