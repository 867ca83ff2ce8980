import { expect, test } from "bun:test";
import { relevanceScore } from "#agent/serving/admission/rerank-texts.ts";

test.each([
  { name: "one label, nothing said", logits: [0], label: 0, raw: false, expected: 0.5 },
  { name: "one label", logits: [2], label: 0, raw: false, expected: 0.8807970779778823 },
  { name: "one label, far below", logits: [-800], label: 0, raw: false, expected: 0 },
  { name: "one label, far above", logits: [800], label: 0, raw: false, expected: 1 },
  { name: "one label, raw", logits: [-3.5], label: 0, raw: true, expected: -3.5 },
  { name: "two labels", logits: [1, 3], label: 1, raw: false, expected: 0.8807970779778823 },
  { name: "three labels, large numbers", logits: [1000, 1000, -1000], label: 0, raw: false, expected: 0.5 },
  { name: "three labels, raw", logits: [1, 2, 4], label: 2, raw: true, expected: 4 },
])("$name", ({ logits, label, raw, expected }) => {
  expect(relevanceScore(Float32Array.from(logits), label, raw)).toBeCloseTo(expected, 12);
});

test.each([
  { name: "not a number", logits: [Number.NaN], label: 0 },
  { name: "infinite", logits: [Number.POSITIVE_INFINITY], label: 0 },
  { name: "a label that is not there", logits: [1], label: 1 },
])("$name is an error", ({ logits, label }) => {
  expect(() => relevanceScore(Float32Array.from(logits), label, false)).toThrow("no finite score");
});
