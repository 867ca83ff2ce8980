import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { invalidValue, jsonBody } from "#platform/http/body/read-json-body.ts";
import { noteReceivedBody } from "#platform/http/body/received-body.ts";

const Body = Type.Object(
  { inputs: Type.Optional(Type.Array(Type.Any(), { maxItems: 70_000 })) },
  { additionalProperties: true },
);
const { parse } = jsonBody(Body);

/** Reads a body; returns its value, or the error with what it is about. */
async function read(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}, limitMs?: number) {
  const reader = limitMs === undefined ? parse[0] : jsonBody(Body, limitMs).parse[0];
  const request = new Request("http://a/x", { method: "POST", body, headers });
  if (!("content-type" in headers)) request.headers.delete("content-type");
  return await refusalOf(() => reader({ request }));
}

async function refusalOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return [error.code, error.message, error.details?.["param"]];
  }
}
const json = { "content-type": "application/json" };

describe("the type of a body", () => {
  test.each([
    [{}, true],
    [{ origin: "http://a" }, false],
    [{ ...json, origin: "http://a" }, true],
    [{ "content-type": "text/plain" }, false],
    [{ "content-type": " application/vnd.a.b-c+json ; charset=x" }, true],
  ])("%j is read: %p", async (headers, isRead) => {
    const answer = await read("{}", headers as Record<string, string>);
    if (isRead) expect(answer).toEqual({});
    else expect(answer).toEqual(["UNSUPPORTED_MEDIA_TYPE", expect.stringContaining("expected"), "content-type"]);
  });

  test("its error shows the start of a long one, and says so of none", async () => {
    const message = (got: string) => `content-type: expected application/json, got ${got}`;
    expect(await read("{}", { "content-type": `a/${"b".repeat(200)}` })).toEqual([
      "UNSUPPORTED_MEDIA_TYPE",
      message(`"a/${"b".repeat(98)}"`),
      "content-type",
    ]);
    expect(await read("{}", { origin: "x" })).toEqual(["UNSUPPORTED_MEDIA_TYPE", message("nothing"), "content-type"]);
  });
});

describe("the text of a body", () => {
  test.each([
    ["", "the body is empty: expected JSON"],
    [new Uint8Array([0xff]), "the body is not valid UTF-8"],
    ["{bad", expect.stringMatching(/^the body is not valid JSON: (?!JSON Parse error)\S/)],
    ["[".repeat(65), "body: expected at most 64 levels of arrays and objects"],
    [`[${"[],".repeat(65_536)}1]`, expect.stringMatching(/^body: expected at most 65536 /)],
    [`{${'"a":1,'.repeat(16_385)}"a":1}`, expect.stringMatching(/^body: expected at most 16384 /)],
    [`[${'"a",'.repeat(65_537)}1]`, expect.stringMatching(/^body: expected at most 65536 /)],
  ])("%#: is refused", async (body, message) => {
    expect(await read(body, json)).toEqual(["INVALID_REQUEST", message, "body"]);
  });

  test.each([
    ["64 levels", `{"inputs":${"[".repeat(63)}${"]".repeat(63)}}`],
    ["65,536 arrays and objects", `{"inputs":[${"[],".repeat(65_533)}[]]}`],
    ["16,384 fields", `{${Array.from({ length: 16_384 }, (_, i) => `"a${i}":1`)}}`],
  ])("%s are read", async (_name, body) => {
    expect(await read(body, json)).toEqual(JSON.parse(body));
  });

  test("what a parser says of a long mistake is cut", async () => {
    const [, message] = (await read(`{"a": ${"x".repeat(500)}`, json)) as [string, string];
    expect(message.length).toBeLessThanOrEqual("the body is not valid JSON: ".length + 100);
  });

  test("that does not come in time is refused", async () => {
    const request = new Request("http://a/x", { method: "POST", body: new ReadableStream({}), headers: json });
    expect(await refusalOf(() => jsonBody(Body, 1).parse[0]({ request }))).toEqual([
      "REQUEST_TIMEOUT",
      "the body: expected to arrive within 0.001 s",
      undefined,
    ]);
  });
});

test.each(["{}", "{"])("a body that was read before, %s, is freed once it is parsed", async (text) => {
  const request = new Request("http://a/x", { method: "POST", headers: json });
  let freed = 0;
  noteReceivedBody(request, {
    bytes: new TextEncoder().encode(text),
    parsed: () => {
      freed += 1;
    },
  });
  const answer = await refusalOf(() => parse[0]({ request }));
  if (text === "{}") expect(answer).toEqual({});
  else expect(answer).toEqual(["INVALID_REQUEST", expect.stringContaining("not valid JSON"), "body"]);
  expect(freed).toBe(1);
});

describe("a value that is not valid", () => {
  const Value = Type.Object({ a: Type.Array(Type.Integer(), { maxItems: 2 }), b: Type.Integer() });
  const mistakes = (value: unknown, whole?: string) => {
    const { code, message, details } = invalidValue(Value, value, whole);
    return [code, message.split("; ").length, details?.["param"]];
  };

  test.each([
    ["one mistake", { a: [], b: "x" }, ["INVALID_REQUEST", 1, "b"]],
    ["three mistakes", { a: ["x", "y"], b: "x" }, ["INVALID_REQUEST", 3, "a.0"]],
    ["too many items, which is a matter of size", { a: [1, 2, 3], b: 1 }, ["PAYLOAD_TOO_LARGE", 1, "a"]],
    ["none at all of it", 7, ["INVALID_REQUEST", 1, "body"]],
  ])("%s", (_name, value, expected) => {
    expect(mistakes(value)).toEqual(expected);
  });

  test("tells three mistakes, and that there are more", () => {
    const Many = Type.Object({ a: Type.Array(Type.Integer()) });
    const told = (count: number) => invalidValue(Many, { a: new Array(count).fill("x") }).message.split("; ");
    expect(told(3).at(-1)).toBe('a.2: expected integer, got "x"');
    expect([told(4).length, told(4).at(-1), told(9).length]).toEqual([4, "and more", 4]);
  });

  test("is named as the caller says", () => {
    expect(mistakes(7, "query")).toEqual(["INVALID_REQUEST", 1, "query"]);
  });
});

test("a value that does not match is refused before its route runs", async () => {
  const { parse: typed, body } = jsonBody(Type.Object({ n: Type.Integer() }));
  expect(body).toMatchObject({ type: "object" });
  expect(typed[1]).toBe("json");
  const request = new Request("http://a/x", { method: "POST", body: '{"n":"x"}', headers: json });
  expect(await refusalOf(() => typed[0]({ request }))).toEqual([
    "INVALID_REQUEST",
    'n: expected integer, got "x"',
    "n",
  ]);
});

test("a route's Response is sent as it is: Elysia would make another one where it takes the parser to use cookies", async () => {
  const response = new Response("x");
  const app = new Elysia().post("/x", ({ body }: { body: unknown }) => (body === undefined ? undefined : response), {
    ...jsonBody(Body),
  });
  const request = new Request("http://localhost/x", {
    method: "POST",
    body: "{}",
    headers: { ...json, cookie: "a=b" },
  });
  expect(await app.fetch(request)).toBe(response);
});
