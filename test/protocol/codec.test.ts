import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import {
  decodeMessage,
  decodeOwnText,
  decodeText,
  decodeValue,
  encodeFitted,
  encodeMessage,
  maxMessageBytes,
  parseJson,
} from "#protocol/codec.ts";

const Message = Type.Object(
  { name: Type.String({ maxLength: 1_000_000 }), count: Type.Integer({ minimum: 0, maximum: 9 }) },
  { additionalProperties: false },
);
const bytes = (text: string) => new TextEncoder().encode(text);
const reasonOf = (decoded: { readonly ok: boolean; readonly reason?: string }) => (decoded.ok ? null : decoded.reason);

describe("decoding", () => {
  test("a message of the largest size is read, a byte more is refused unread", () => {
    const around = JSON.stringify({ name: "", count: 1 }).length;
    const of = (length: number) => bytes(JSON.stringify({ name: "x".repeat(length - around), count: 1 }));
    expect(maxMessageBytes).toBe(262_144);
    expect(decodeMessage(Message, of(262_144)).ok).toBe(true);
    expect(decodeMessage(Message, of(262_145))).toEqual({
      ok: false,
      reason: "262145 bytes, the maximum is 262144",
    });
  });

  test("fields that are not known are left out, of what is otherwise right", () => {
    const newer = { name: "a", count: 1, later: true };
    expect(decodeValue(Message, newer)).toEqual({ ok: true, message: { name: "a", count: 1 } });
    expect(reasonOf(decodeValue(Message, { ...newer, count: 10 }))).toMatch(/^count: expected .*9, got 10$/);
    const right = { name: "a", count: 1 };
    const decoded = decodeValue(Message, right);
    expect(decoded.ok && decoded.message).toBe(right);
  });

  test.each([
    ["bytes that are not UTF-8", new Uint8Array([0xff]), /^not JSON in UTF-8: \S/],
    ["a byte order mark alone", new Uint8Array([0xef, 0xbb, 0xbf]), /^not JSON: \S/],
    ["text", bytes("hello"), /^not JSON: \S/],
    ["a list", bytes("[]"), /^message: expected object, got \[\]$/],
    ["nothing", bytes(""), /^not JSON: \S/],
  ])("%s: the reason why not", (_name, payload, reason) => {
    expect(reasonOf(decodeMessage(Message, payload))).toMatch(reason);
  });

  test("a reason is bounded, and has nothing that acts on a terminal", () => {
    const reason = reasonOf(decodeText(Message, `${"x\u001b".repeat(500)}`)) ?? "";
    expect(reason.length).toBeLessThanOrEqual("not JSON: ".length + 200);
    expect(reason).not.toContain("\u001b");
    expect(reasonOf(decodeValue(Message, { name: "a", count: "\u001b[31m" }))).not.toContain("\u001b");
  });

  test("texts are cleaned of what acts on a terminal, whether written plainly or escaped", () => {
    const clean = { name: "a", count: 1 };
    expect(parseJson(JSON.stringify(clean))).toEqual(clean);
    expect(JSON.stringify(parseJson('{"name":"\\u001b[31mred","count":1}'))).not.toMatch(/u001b/);
    expect(() => parseJson("{")).toThrow(SyntaxError);
  });
});

describe("a text that this device wrote", () => {
  test.each([
    ["is read as it is", { name: "a", count: 9 }, { name: "a", count: 9 }],
    ["has figures beyond the bounds clamped", { name: "a", count: 12 }, { name: "a", count: 9 }],
    ["may have fields of a later version", { name: "a", count: 1, later: 1 }, { name: "a", count: 1 }],
    ["is nothing where a field is missing", { name: "a" }, null],
  ])("%s", (_name, written, read) => {
    expect(decodeOwnText(Message, JSON.stringify(written))).toEqual(read);
  });

  test("is nothing where it is not JSON", () => {
    expect(decodeOwnText(Message, "{")).toBeNull();
  });
});

describe("encoding", () => {
  test("what does not match is a bug of this program", () => {
    expect(encodeMessage(Message, { name: "a", count: 1 })).toBe('{"name":"a","count":1}');
    expect(() => encodeMessage(Message, { name: "a", count: 12 })).toThrow(
      /^a message to be sent does not match its schema: count: expected .*, got 12\. This is a bug\.$/,
    );
  });

  test("what a device measured is clamped, and told", () => {
    const told: string[] = [];
    const encode = (count: number) => encodeFitted(Message, { name: "a", count }, (reason) => told.push(reason));
    expect(encode(9)).toBe('{"name":"a","count":9}');
    expect(told).toEqual([]);
    expect(encode(12)).toBe('{"name":"a","count":9}');
    expect(told).toEqual([expect.stringMatching(/^count: expected .*, got 12$/)]);
  });
});
