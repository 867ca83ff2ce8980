import { expect, test } from "bun:test";
import { explainBatch, explainLane, explainLanePlan } from "#agent/serving/batching/explain-batching.ts";

test.each([
  { rule: "all-waiting", left: 0, text: "all waiting texts" },
  { rule: "full", left: 7, text: "full: 2 texts of 8 tokens, 7 wait for the next batch" },
  {
    rule: "other-lengths",
    left: 7,
    text: "no more texts of about this length; 7 of other lengths wait for the next batch",
  },
] as const)("batch: $rule", ({ text, ...figures }) => {
  expect(explainBatch({ take: [0, 3], paddedTokens: 8, ...figures })).toBe(text);
});

test("lanes and plans", () => {
  expect(explainLane("short-queue")).toBe("the queue is short: all threads compute one batch");
  expect(explainLane("long-queue")).toBe("the queue is long: each thread computes a batch");
  expect(explainLanePlan("gpu")).toStartWith("a GPU");
  expect(explainLanePlan("cpu")).toStartWith("a CPU");
});
