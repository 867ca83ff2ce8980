import { expect, test } from "bun:test";
import { likelyTokens } from "#agent/serving/admission/likely-tokens.ts";

test.each([
  { name: "an empty text", input: "", tokens: 2 },
  { name: "a text", input: "why did the conveyor stop", tokens: 9 },
  { name: "a text longer than the model reads", input: "a".repeat(10_000), tokens: 256 },
  { name: "token ids", input: [1, 2, 3], tokens: 5 },
  { name: "a pair", input: { first: "what?", second: "that" }, tokens: 5 },
])("$name is taken for $tokens tokens", ({ input, tokens }) => {
  expect(likelyTokens(input, 256)).toBe(tokens);
});
