import { describe, expect, test } from "bun:test";
import { writeAnswer } from "#agent/serving/http/write-answer.ts";
import { writeVectorJson } from "#agent/serving/http/write-vector.ts";
import { createPendingAnswers } from "#platform/http/pending-answers.ts";

const vectorsOf = (count: number, dimension: number) =>
  Array.from({ length: count }, (_, i) => new Float32Array(dimension).fill(i + 0.5));

describe("what counts as memory of unread answers is the size of an answer, not the number of its vectors", () => {
  test.each([
    { count: 1, dimension: 384, counted: false },
    { count: 16, dimension: 384, counted: false },
    { count: 17, dimension: 384, counted: true },
    { count: 64, dimension: 384, counted: true },
    { count: 1, dimension: 4096, counted: false },
    { count: 2, dimension: 4096, counted: true },
    { count: 1, dimension: 65_536, counted: false },
    { count: 2, dimension: 65_536, counted: true },
    { count: 6000, dimension: 1, counted: false },
    { count: 0, dimension: 384, counted: false },
  ])("$count of $dimension numbers", async ({ count, dimension, counted }) => {
    const pending = createPendingAnswers(1_000_000_000);
    const vectors = vectorsOf(count, dimension);
    const answer = writeAnswer("[", vectors, writeVectorJson, "]", { truncatedInputs: 0 }, pending);
    expect(pending.usedBytes()).toBe(counted ? count * dimension * 4 : 0);
    expect(await answer.json()).toEqual(vectors.map((vector) => [...vector]));
    expect(pending.usedBytes()).toBe(0);
  });
});
