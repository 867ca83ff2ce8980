import { expect, test } from "bun:test";
import { cleanOutput, cleanText } from "#platform/clean-text.ts";

/** Every character that does something to a terminal or to who reads it. */
const hostile = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index),
  ...[0xad, 0x61c, 0x180e, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xfff9, 0xe0001, 0xe0041, 0xe007f],
].map((code) => String.fromCodePoint(code));

test.each([
  ["a title", "\u001b]0;x\u0007", "\\u001b]0;x\\u0007"],
  ["a screen", "a\u001b[2Jb", "a\\u001b[2Jb"],
  ["a line", "a\r\nb", "a\\u000d\\u000ab"],
  ["another direction", "a\u202eb", "a\\u202eb"],
  ["half a pair", "a\ud83db", "a\\ud83db"],
  ["what people write", "Zürich – 東京 🚀 ok", "Zürich – 東京 🚀 ok"],
])("%s", (_, text, shown) => {
  expect(cleanText(text)).toBe(shown);
});

test("no hostile character is left, in lines and in output, and JSON stays the same value", () => {
  for (const character of hostile) {
    expect(cleanText(`a${character}b`)).not.toContain(character);
    const value = { [`k${character}`]: `a${character}b` };
    const output = cleanOutput(JSON.stringify(value, null, 2));
    expect(JSON.parse(output)).toEqual(value);
    if (character !== "\n" && character !== "\t") expect(output).not.toContain(character);
  }
  expect(cleanOutput("a\tb\nc\rd")).toBe("a\tb\nc\\u000dd");
});

test("what is too long is cut", () => {
  expect(cleanText("x".repeat(1e6))).toHaveLength(2000);
  expect(cleanText("abcdef", 4)).toBe("abc…");
  expect(cleanText("abcd", 4)).toBe("abcd");
  expect(cleanText("x".repeat(5000), null)).toHaveLength(5000);
  // Cutting leaves no half of a pair.
  expect(cleanText("ab🚀cd", 4)).toBe("ab\\ud83d…");
});
