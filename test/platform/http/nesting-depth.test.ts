import { expect, test } from "bun:test";
import { nestsDeeperThan } from "#platform/http/nesting-depth.ts";

test.each([
  { name: "nothing", text: "", most: 0, deeper: false },
  { name: "a number", text: "1", most: 0, deeper: false },
  { name: "an array", text: "[]", most: 0, deeper: true },
  { name: "as deep as may be", text: "[[1]]", most: 2, deeper: false },
  { name: "one deeper", text: "[[[]]]", most: 2, deeper: true },
  { name: "objects and arrays", text: '{"a":[{"b":1}]}', most: 2, deeper: true },
  { name: "side by side", text: "[[],[],[],{}]", most: 2, deeper: false },
  { name: "brackets in a string", text: '["[[[[{{{{"]', most: 1, deeper: false },
  { name: "a quote in a string", text: '["\\"[[[["]', most: 1, deeper: false },
  { name: "a backslash before the closing quote", text: '["\\\\",[[]]]', most: 2, deeper: true },
  { name: "backslashes before a quote", text: '["\\\\\\"[[[["]', most: 1, deeper: false },
  { name: "a string that never ends", text: '["[[[[', most: 1, deeper: false },
  { name: "a string of one quote", text: '"', most: 0, deeper: false },
  { name: "millions deep", text: "[".repeat(2_000_000), most: 64, deeper: true },
])("$name", ({ text, most, deeper }) => {
  expect(nestsDeeperThan(text, most)).toBe(deeper);
});
