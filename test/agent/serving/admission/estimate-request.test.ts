import { expect, test } from "bun:test";
import { estimateBytes, estimateTokens } from "#agent/serving/admission/estimate-request.ts";

test.each([
  { name: "an empty text", input: "", tokens: 2 },
  { name: "a text", input: "why did the conveyor stop", tokens: 9 },
  { name: "a text longer than the model reads", input: "a".repeat(10_000), tokens: 256 },
  { name: "token ids", input: [1, 2, 3], tokens: 5 },
  { name: "a pair", input: { first: "what?", second: "that" }, tokens: 5 },
])("$name is estimated at $tokens tokens", ({ input, tokens }) => {
  expect(estimateTokens(input, 256)).toBe(tokens);
});

const question = "q".repeat(1_000);
test.each([
  { name: "a text", inputs: ["x".repeat(100)], bytes: 200 },
  { name: "token ids", inputs: [[1, 2, 3]], bytes: 24 },
  {
    name: "one question and two texts",
    inputs: [
      { first: question, second: "a" },
      { first: question, second: "b" },
    ],
    bytes: 2_004,
  },
  {
    name: "two questions",
    inputs: [
      { first: question, second: "a" },
      { first: `${question}?`, second: "b" },
    ],
    bytes: 4_006,
  },
])("memory of $name: its characters, its vectors and the overhead", ({ inputs, bytes }) => {
  expect(estimateBytes(inputs, 0)).toBe(bytes + 500 * inputs.length);
  expect(estimateBytes(inputs, 384)).toBe(bytes + (500 + 4 * 384) * inputs.length);
});
