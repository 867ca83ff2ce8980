import { describe, expect, test } from "bun:test";
import { computeInParts } from "#agent/serving/worker/compute-in-parts.ts";
import { BatchFailedError, type BatchResult, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";

const texts = (count: number) => Array.from({ length: count }, (_, id) => Uint32Array.of(id));

/** Answers each text with its number; a part with one of `fatal` ends with `failure`. */
function model(fatal: readonly number[], failure: Error) {
  const parts: number[] = [];
  const run = async (part: readonly Uint32Array[]): Promise<BatchResult> => {
    parts.push(part.length);
    if (part.some(([id]) => fatal.includes(id as number))) throw failure;
    return { vectors: part.map(([id]) => Float32Array.of(id as number)), computeMs: 1 };
  };
  return { run, parts };
}

describe("a batch in parts", () => {
  test.each<{ name: string; count: number; fatal: number[] }>([
    { name: "none at fault", count: 4, fatal: [] },
    { name: "the first", count: 8, fatal: [0] },
    { name: "the last of an odd number", count: 7, fatal: [6] },
    { name: "two of three", count: 3, fatal: [0, 2] },
    { name: "both of two", count: 2, fatal: [0, 1] },
  ])("$name: the others are computed, in order", async ({ count, fatal }) => {
    for (const failure of [new ModelProcessLostError("died"), new BatchFailedError("no such token")]) {
      const result = await computeInParts(texts(count), model(fatal, failure).run);
      expect([...(result.refused?.keys() ?? [])]).toEqual(fatal);
      expect(result.vectors.map((vector) => vector?.[0])).toEqual(
        texts(count).map((_, id) => (fatal.includes(id) ? undefined : id)),
      );
      for (const reason of result.refused?.values() ?? []) expect(reason.cause).toBe(failure);
    }
  });

  test("one text among 32 costs five failed parts", async () => {
    const { run, parts } = model([17], new ModelProcessLostError("died"));
    const { refused, computeMs } = await computeInParts(texts(32), run);
    expect([...(refused?.keys() ?? [])]).toEqual([17]);
    expect(parts.length - computeMs).toBe(5);
  });

  test("a model that computes nothing any more is not asked text by text", async () => {
    const all = Array.from({ length: 32 }, (_, id) => id);
    const { run, parts } = model(all, new ModelProcessLostError("died"));
    await expect(computeInParts(texts(32), run)).rejects.toBeInstanceOf(ModelProcessLostError);
    expect(parts.length).toBe(9);
  });

  test("another failure is not the batch's", async () => {
    await expect(computeInParts(texts(4), model([3], new Error("stopping")).run)).rejects.toThrow("stopping");
  });
});
