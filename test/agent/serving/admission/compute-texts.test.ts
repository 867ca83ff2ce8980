import { describe, expect, test } from "bun:test";
import { createTextComputer, maxTextsInQueue } from "#agent/serving/admission/compute-texts.ts";
import { createResultCache } from "#agent/serving/admission/result-cache.ts";
import { type BatchPolicy, usualLengths } from "#agent/serving/batching/decide-batch.ts";
import { createEmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { singleLane } from "../batching/single-lane.ts";

const found = await findModel("all-MiniLM-L6-v2", null);
const policy: BatchPolicy = { maxTokens: 64, maxTexts: 8, padTo: usualLengths };
const request = { inputsField: "input" };

/** A model whose tokens and vector are a text's number; at `stopAt` texts it waits until it is let go. */
function setUp(options: { failOn?: number; onBatch?: (computed: number) => void } = {}) {
  let computed = 0;
  let longestLine = 0;
  const queue = createEmbeddingQueue(
    singleLane(
      {
        async run(texts) {
          longestLine = Math.max(longestLine, queue.depth() + texts.length);
          computed += texts.length;
          options.onBatch?.(computed);
          if (options.failOn !== undefined && computed >= options.failOn) throw new Error("lost");
          await Bun.sleep(0);
          return { vectors: texts.map((ids) => Float32Array.of(ids[0] as number)), computeMs: texts.length };
        },
      },
      policy,
    ),
    () => {},
  );
  const model = {
    found,
    tokenizer: {
      tokenize: (text: string) => ({ ids: Uint32Array.of(Number(text)), truncated: text === "9999" }),
      acceptTokenIds: () => null,
    },
    queue,
  } as unknown as EmbeddingModel;
  return { model, queue, computed: () => computed, longestLine: () => longestLine };
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, input: String(index), key: `k${index}` }));
const never = new AbortController().signal;

describe("a large request", () => {
  test("is split, never has more than its part in the line, and keeps its order", async () => {
    const { model, queue, longestLine } = setUp();
    const computer = createTextComputer(createResultCache(0));
    const results = await computer.compute(model, numbered(1_000), request, queue.open(never), never);
    expect(results.map(({ index, text }) => [index, text.vector[0]])).toEqual(
      numbered(1_000).map(({ index }) => [index, index]),
    );
    expect(longestLine()).toBeLessThanOrEqual(maxTextsInQueue);
  });

  test("whose client goes is not computed further", async () => {
    const gone = new AbortController();
    const { model, queue, computed } = setUp({ onBatch: (count) => count >= 24 && gone.abort(new Error("gone")) });
    const computer = createTextComputer(createResultCache(0));
    await expect(
      computer.compute(model, numbered(1_000), request, queue.open(gone.signal), gone.signal),
    ).rejects.toThrow("gone");
    await Bun.sleep(5);
    expect(queue.depth()).toBe(0);
    expect(computed()).toBe(24);
  });

  test("fails as a whole when one batch does, and leaves nothing in the line", async () => {
    const { model, queue, computed } = setUp({ failOn: 16 });
    const computer = createTextComputer(createResultCache(0));
    await expect(computer.compute(model, numbered(1_000), request, queue.open(never), never)).rejects.toThrow("lost");
    await Bun.sleep(5);
    expect(queue.depth()).toBe(0);
    expect(computed()).toBeLessThan(1_000);
  });
});

test("the text that may not be cut is named by its place in the request", async () => {
  const { model, queue } = setUp();
  const computer = createTextComputer(createResultCache(0));
  const inputs = [{ index: 4, input: "9999", key: "k" }];
  await expect(
    computer.compute(model, inputs, { ...request, truncate: false }, queue.open(never), never),
  ).rejects.toThrow("input.4: expected");
});
