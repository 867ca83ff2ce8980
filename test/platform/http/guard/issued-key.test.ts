import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { ApiKeyText } from "#platform/http/guard/access-config.ts";
import { makeIssuedKey, readIssuedKey } from "#platform/http/guard/issued-key.ts";

test("a key is read back by its id and hash, never by itself", () => {
  const { id, text, hash } = makeIssuedKey("viewer");
  expect(text).toMatch(new RegExp(`^tm_v_${id}_`));
  expect(Value.Check(ApiKeyText, text)).toBe(true);
  expect(readIssuedKey(text)).toEqual({ id, hash });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
});

test("two keys share neither id nor secret", () => {
  const [one, other] = [makeIssuedKey("admin"), makeIssuedKey("admin")];
  expect(one.id).not.toBe(other.id);
  expect(one.hash).not.toBe(other.hash);
  expect(one.text.slice(15, 58)).not.toBe(other.text.slice(15, 58));
});

test("a key with any one character changed, left out or added is none", () => {
  const { text } = makeIssuedKey("embed");
  for (let index = 0; index < text.length; index += 1) {
    const other = text[index] === "x" ? "y" : "x";
    expect(readIssuedKey(text.slice(0, index) + other + text.slice(index + 1))).toBeNull();
    expect(readIssuedKey(text.slice(0, index) + text.slice(index + 1))).toBeNull();
  }
  expect(readIssuedKey(`${text}0`)).toBeNull();
  expect(readIssuedKey("")).toBeNull();
});
