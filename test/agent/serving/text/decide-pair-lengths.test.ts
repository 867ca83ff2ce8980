import { expect, test } from "bun:test";
import { decidePairLengths } from "#agent/serving/text/decide-pair-lengths.ts";

// Checked against Hugging Face's tokenizers 0.23 ("longest_first").
test.each([
  { lengths: [3, 4], maxTokens: 7, kept: [3, 4], rule: "uncut" },
  { lengths: [0, 9], maxTokens: 7, kept: [0, 7], rule: "longer-cut" },
  { lengths: [3, 9], maxTokens: 7, kept: [3, 4], rule: "longer-cut" },
  { lengths: [4, 10], maxTokens: 7, kept: [3, 4], rule: "both-cut" },
  { lengths: [10, 4], maxTokens: 7, kept: [4, 3], rule: "both-cut" },
  { lengths: [10, 2], maxTokens: 7, kept: [5, 2], rule: "longer-cut" },
  { lengths: [8, 8], maxTokens: 8, kept: [4, 4], rule: "both-cut" },
  { lengths: [8, 8], maxTokens: 7, kept: [3, 4], rule: "both-cut" },
  { lengths: [4, 9], maxTokens: 8, kept: [4, 4], rule: "longer-cut" },
] as const)("$lengths into $maxTokens: $kept, $rule", ({ lengths: [first, second], maxTokens, kept, rule }) => {
  expect(decidePairLengths(first, second, maxTokens)).toEqual({ first: kept[0], second: kept[1], rule });
});
