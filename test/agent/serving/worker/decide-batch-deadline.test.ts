import { expect, test } from "bun:test";
import { type BatchDeadlineInput, decideBatchDeadline } from "#agent/serving/worker/decide-batch-deadline.ts";

const usual: BatchDeadlineInput = {
  tokens: 256,
  tokensPerMs: 10,
  provider: "cpu",
  shortestMs: 10_000,
  suspect: false,
};

test.each<{ name: string; input: Partial<BatchDeadlineInput>; deadlineMs: number }>([
  { name: "small at the measured speed", input: {}, deadlineMs: 10_000 },
  { name: "of nothing", input: { tokens: 0 }, deadlineMs: 10_000 },
  { name: "large", input: { tokens: 16_384 }, deadlineMs: 32_768 },
  { name: "larger than any", input: { tokens: Number.MAX_SAFE_INTEGER }, deadlineMs: 600_000 },
  { name: "at a speed near zero", input: { tokensPerMs: Number.MIN_VALUE }, deadlineMs: 600_000 },
  { name: "at no speed", input: { tokensPerMs: 0 }, deadlineMs: 60_000 },
  { name: "at a speed that is no number", input: { tokensPerMs: Number.NaN }, deadlineMs: 60_000 },
  { name: "the first", input: { tokensPerMs: null }, deadlineMs: 60_000 },
  { name: "the first, configured for longer", input: { tokensPerMs: null, shortestMs: 90_000 }, deadlineMs: 90_000 },
  { name: "on TensorRT", input: { provider: "tensorrt" }, deadlineMs: 120_000 },
  { name: "on CUDA", input: { provider: "cuda" }, deadlineMs: 10_000 },
  { name: "that has cost two processes", input: { suspect: true }, deadlineMs: 2_000 },
  { name: "that has cost two, but is large", input: { suspect: true, tokens: 16_384 }, deadlineMs: 32_768 },
  { name: "configured for long", input: { shortestMs: 600_000 }, deadlineMs: 600_000 },
])("a batch $name has $deadlineMs ms", ({ input, deadlineMs }) => {
  expect(decideBatchDeadline({ ...usual, ...input }).deadlineMs).toBe(deadlineMs);
});
