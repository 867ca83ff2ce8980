import { expect, test } from "bun:test";
import { type BatchDeadlineInput, decideBatchDeadline } from "#agent/serving/worker/decide-batch-deadline.ts";

const usual: BatchDeadlineInput = {
  tokens: 256,
  tokensPerMs: 10,
  provider: "cpu",
  shortestMs: 10_000,
  suspect: false,
};

test.each<[string, Partial<BatchDeadlineInput>, number, string, number | null]>([
  ["small at the measured speed", {}, 10_000, "shortest", 25.6],
  ["of nothing", { tokens: 0 }, 10_000, "shortest", 0],
  ["just as long as the shortest deadline", { tokens: 5_000 }, 10_000, "shortest", 500],
  ["a little longer", { tokens: 5_010 }, 10_020, "measured-speed", 501],
  ["large", { tokens: 16_384 }, 32_768, "measured-speed", 1_638.4],
  ["as large as any", { tokens: 300_000 }, 600_000, "longest", 30_000],
  ["larger than any", { tokens: Number.MAX_SAFE_INTEGER }, 600_000, "longest", Number.MAX_SAFE_INTEGER / 10],
  ["at a speed near zero", { tokensPerMs: Number.MIN_VALUE }, 600_000, "longest", Number.POSITIVE_INFINITY],
  ["at no speed", { tokensPerMs: 0 }, 60_000, "unmeasured", null],
  ["at a speed that is no number", { tokensPerMs: Number.NaN }, 60_000, "unmeasured", null],
  ["the first", { tokensPerMs: null }, 60_000, "unmeasured", null],
  ["the first, configured for longer", { tokensPerMs: null, shortestMs: 90_000 }, 90_000, "unmeasured", null],
  ["on TensorRT", { provider: "tensorrt" }, 120_000, "engine-build", null],
  ["on TensorRT, configured for longer", { provider: "tensorrt", shortestMs: 130_000 }, 130_000, "engine-build", null],
  ["on CUDA", { provider: "cuda" }, 10_000, "shortest", 25.6],
  ["that has cost two processes", { suspect: true }, 2_000, "shortest", 25.6],
  ["that has cost two, but is large", { suspect: true, tokens: 16_384 }, 32_768, "measured-speed", 1_638.4],
  ["configured for long", { shortestMs: 600_000 }, 600_000, "shortest", 25.6],
  ["configured for longer than any", { shortestMs: 700_000, tokens: 400_000 }, 700_000, "longest", 40_000],
])("deadline of a batch: %s", (_name, input, deadlineMs, rule, expectedMs) => {
  const given = { ...usual, ...input };
  expect(decideBatchDeadline(given)).toEqual({ rule, deadlineMs, tokens: given.tokens, expectedMs } as never);
});
