import { expect, test } from "bun:test";
import { requestBytes } from "#agent/serving/admission/request-bytes.ts";

const question = "q".repeat(1_000);
test.each([
  { name: "a text", inputs: ["x".repeat(100)], bytes: 200 },
  { name: "token ids", inputs: [[1, 2, 3]], bytes: 24 },
  {
    name: "a question asked of two texts",
    inputs: [
      { first: question, second: "a" },
      { first: question, second: "b" },
    ],
    bytes: 2_004,
  },
])("$name: its characters, its vectors and what is around them", ({ inputs, bytes }) => {
  expect(requestBytes(inputs, 0)).toBe(bytes + 500 * inputs.length);
  expect(requestBytes(inputs, 384)).toBe(bytes + (500 + 4 * 384) * inputs.length);
});
