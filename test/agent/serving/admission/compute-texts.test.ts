import { describe, expect, test } from "bun:test";
import { computeTexts, maxTextsInQueue } from "#agent/serving/admission/compute-texts.ts";
import { ResultCache } from "#agent/serving/admission/result-cache.ts";
import { type BatchPolicy, defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { type RequestTrace, withTrace } from "#platform/request-trace.ts";
import { singleLane } from "../batching/single-lane.ts";

const found = await findModel("all-MiniLM-L6-v2", null);
const policy: BatchPolicy = { maxTokens: 64, maxTexts: 8, padTo: defaultLengths };
const job = { inputsField: "input", emptyTexts: "refuse", cache: new ResultCache(0) } as const;

/** A model whose tokens and vector are a text's number. */
function setUp(options: { failOn?: number; onBatch?: (computed: number) => void } = {}) {
  let computed = 0;
  let longestQueue = 0;
  const queue = new EmbeddingQueue(
    singleLane(
      {
        async run(texts) {
          longestQueue = Math.max(longestQueue, queue.depth() + texts.length);
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
      acceptTokenIds: () => ({ kind: "refused", rule: "unmarked" }),
      idMarks: { highestId: 9, before: [1], after: [2], maxTokens: 9 },
      lastId: 9_999,
    },
    queue,
    limitPending: () => null,
  } as unknown as EmbeddingModel;
  return { model, queue, computed: () => computed, longestQueue: () => longestQueue };
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, input: String(index), key: `k${index}` }));
const never = new AbortController().signal;

describe("a large request", () => {
  test("is split, never has more than its part in the queue, and keeps its order", async () => {
    const { model, queue, longestQueue } = setUp();
    const results = await computeTexts({
      ...job,
      model,
      inputs: numbered(1_000),
      queued: queue.open(never),
      signal: never,
    });
    expect(results.map(({ index, text }) => [index, text.vector[0]])).toEqual(
      numbered(1_000).map(({ index }) => [index, index]),
    );
    expect(maxTextsInQueue).toBe(256);
    expect(longestQueue()).toBe(maxTextsInQueue);
  });

  test("whose client disconnects is not computed further", async () => {
    const client = new AbortController();
    const { signal } = client;
    const { model, queue, computed } = setUp({ onBatch: (count) => count >= 24 && client.abort(new Error("gone")) });
    await expect(
      computeTexts({ ...job, model, inputs: numbered(1_000), queued: queue.open(signal), signal }),
    ).rejects.toThrow("gone");
    await Bun.sleep(5);
    expect(queue.depth()).toBe(0);
    expect(computed()).toBe(24);
  });

  test("fails as a whole when one batch does, and leaves nothing in the queue", async () => {
    const { model, queue, computed } = setUp({ failOn: 16 });
    await expect(
      computeTexts({ ...job, model, inputs: numbered(1_000), queued: queue.open(never), signal: never }),
    ).rejects.toThrow("lost");
    await Bun.sleep(5);
    expect(queue.depth()).toBe(0);
    expect(computed()).toBeLessThan(1_000);
  });
});

test("the text that may not be cut is named by its place in the request", async () => {
  const { model, queue } = setUp();
  const inputs = [{ index: 4, input: "9999", key: "k" }];
  await expect(
    computeTexts({ ...job, model, inputs, truncate: false, queued: queue.open(never), signal: never }),
  ).rejects.toThrow("input.4: expected");
});

test("a token that is found to be unknown while its text waits for the model to be loaded is named", async () => {
  const { model } = setUp();
  let isLoaded = false;
  const { tokenizer } = model;
  const loading = {
    ...model,
    tokenizer: { ...tokenizer, lastId: 5, tokenName: (id: number) => `<${id}>` },
    knownTokens: { isUnknown: (id: number) => isLoaded && id >= 7 },
  } as unknown as EmbeddingModel;
  const queued = {
    begun: true,
    close() {},
    async embed() {
      isLoaded = true;
      throw new Error("out of bounds");
    },
  };
  const ask = (texts: readonly string[]) => {
    const inputs = texts.map((input, index) => ({ index, input, key: input }));
    return computeTexts({ ...job, model: loading, inputs, queued, signal: never });
  };
  await expect(ask(["6", "7"])).rejects.toThrow(
    'input.1: expected tokens that all-MiniLM-L6-v2 can compute, got "<7>"',
  );
  await expect(ask(["6"])).rejects.toThrow("out of bounds");
});

describe("a queue that answers by itself", () => {
  const answering = (waitMs: readonly number[], onPart = () => {}) => ({
    begun: true,
    close() {},
    async embed(texts: readonly Uint32Array[]) {
      onPart();
      return texts.map((ids, index) => ({
        vector: Float32Array.of(ids[0] as number),
        computeMs: 3,
        waitMs: waitMs[index % waitMs.length] as number,
      }));
    },
  });

  test("a text that was being computed already has waited no time", async () => {
    const { model } = setUp();
    const queued = answering([-5, 0.5]);
    const results = await computeTexts({ ...job, model, inputs: numbered(2), queued, signal: never });
    expect(results.map(({ waitMs }) => waitMs)).toEqual([0, 0.5]);
  });

  test("a client that disconnected before the last part gets none", async () => {
    const { model } = setUp();
    const client = new AbortController();
    const { signal } = client;
    const queued = answering([1], () => client.abort(new Error("gone")));
    await expect(computeTexts({ ...job, model, inputs: numbered(300), queued, signal })).rejects.toThrow("gone");
  });

  test("its stages are traced: tokens, waiting until the first text was sent, computing", async () => {
    const { model } = setUp();
    const stages: [string, number, number, object | undefined][] = [];
    const trace: RequestTrace = {
      traceId: "t",
      spanId: "s",
      stage: (name, startedMs, endedMs, attributes) => void stages.push([name, startedMs, endedMs, attributes]),
      annotate() {},
      answered() {},
    };
    const run = (waitMs: readonly number[]) =>
      withTrace(trace, () =>
        computeTexts({ ...job, model, inputs: numbered(2), queued: answering(waitMs), signal: never }),
      );
    await run([1e9, 0]);
    expect(stages.map(([name, , , attributes]) => [name, attributes])).toEqual([
      ["tokenise", { "thormesh.texts": 2 }],
      ["queue", { "thormesh.texts": 2 }],
      ["infer", { "thormesh.compute_ms": 6 }],
    ]);
    const [tokens, queue, infer] = stages;
    expect([queue?.[1], queue?.[2]]).toEqual([tokens?.[2], queue?.[1]]);
    expect(infer?.[1]).toBe(queue?.[2] as number);
    expect(infer?.[2]).toBeGreaterThanOrEqual(infer?.[1] as number);
    stages.length = 0;
    await run([1e9]);
    // A wait beyond the answer ends with it.
    expect(stages[1]?.[2]).toBe(stages[2]?.[2] as number);
  });
});
