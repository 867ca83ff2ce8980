import { describe, expect, test } from "bun:test";
import { createEmbeddingQueue } from "#agent/serving/embedding-queue.ts";
import type { BatchResult } from "#agent/serving/worker/model-process.ts";

/** Records the batches it is given; each is answered when the test says so. A text's vector is its first token id. */
function recordingRunner() {
  const batches: { texts: Uint32Array[]; paddedTokens: number; answer(): void; fail(error: Error): void }[] = [];
  let arrived = Promise.withResolvers<void>();
  return {
    batches,
    async batchCount(count: number) {
      while (batches.length < count) {
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
    },
    run(texts: readonly Uint32Array[], paddedTokens: number) {
      const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
      batches.push({
        texts: [...texts],
        paddedTokens,
        answer: () => resolve({ vectors: texts.map((ids) => Float32Array.of(ids[0]!)), computeMs: 10 }),
        fail: reject,
      });
      arrived.resolve();
      return promise;
    },
  };
}

const policy = { maxTokens: 64, maxTexts: 4 };
const never = new AbortController().signal;
const text = (id: number, length = 4) => Uint32Array.from({ length }, () => id);

function start() {
  const runner = recordingRunner();
  const queue = createEmbeddingQueue(runner, policy, () => {});
  return { runner, queue };
}

test("texts that arrive together are computed together, and each gets its own vector", async () => {
  const { runner, queue } = start();
  const results = [1, 2, 3].map((id) => queue.embed(text(id), never));
  expect(queue.depth()).toBe(3);
  await runner.batchCount(1);
  expect(runner.batches[0]!.texts.length).toBe(3);
  expect(queue.depth()).toBe(0);
  runner.batches[0]!.answer();
  expect((await Promise.all(results)).map((result) => result.vector[0])).toEqual([1, 2, 3]);
  expect((await results[0]!).computeMs).toBeCloseTo(10 / 3);
});

test("what arrives while a batch is computed goes into the next, one batch at a time", async () => {
  const { runner, queue } = start();
  const first = queue.embed(text(1), never);
  await runner.batchCount(1);
  const later = [2, 3, 4, 5, 6].map((id) => queue.embed(text(id), never));
  await Bun.sleep(0);
  expect(runner.batches.length).toBe(1);
  runner.batches[0]!.answer();
  await first;
  await runner.batchCount(2);
  expect(runner.batches[1]!.texts.map((ids) => ids[0])).toEqual([2, 3, 4, 5]);
  runner.batches[1]!.answer();
  await runner.batchCount(3);
  expect(runner.batches[2]!.texts.map((ids) => ids[0])).toEqual([6]);
  runner.batches[2]!.answer();
  await Promise.all(later);
});

describe("the same text asked for again", () => {
  test("is computed once while it waits or is being computed, and again afterwards", async () => {
    const { runner, queue } = start();
    const waiting = [queue.embed(text(7), never), queue.embed(text(7), never)];
    await runner.batchCount(1);
    const computing = queue.embed(text(7), never);
    runner.batches[0]!.answer();
    const results = await Promise.all([...waiting, computing]);
    expect(results.map((result) => result.vector[0])).toEqual([7, 7, 7]);
    expect(results.map((result) => result.computeMs)).toEqual([10, 0, 0]);
    expect(runner.batches.map((batch) => batch.texts.length)).toEqual([1]);
    const again = queue.embed(text(7), never);
    await runner.batchCount(2);
    runner.batches[1]!.answer();
    await again;
  });

  test("a prefix of a text is another text", async () => {
    const { runner, queue } = start();
    const both = [queue.embed(text(7, 4), never), queue.embed(text(7, 5), never)];
    await runner.batchCount(1);
    expect(runner.batches[0]!.texts.length).toBe(2);
    runner.batches[0]!.answer();
    await Promise.all(both);
  });
});

describe("a client that goes", () => {
  test("is told at once and its text is not computed", async () => {
    const { runner, queue } = start();
    const first = queue.embed(text(1), never);
    await runner.batchCount(1);
    const gone = new AbortController();
    const abandoned = queue.embed(text(2), gone.signal);
    const kept = queue.embed(text(3), never);
    gone.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    expect(queue.depth()).toBe(1);
    runner.batches[0]!.answer();
    await first;
    await runner.batchCount(2);
    expect(runner.batches[1]!.texts.map((ids) => ids[0])).toEqual([3]);
    runner.batches[1]!.answer();
    await kept;
  });

  test("leaves the others who asked for the same text", async () => {
    const { runner, queue } = start();
    const gone = new AbortController();
    const abandoned = queue.embed(text(2), gone.signal);
    const kept = queue.embed(text(2), never);
    gone.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    await runner.batchCount(1);
    runner.batches[0]!.answer();
    expect((await kept).vector[0]).toBe(2);
  });

  test("in the middle of its batch changes nothing for the others", async () => {
    const { runner, queue } = start();
    const gone = new AbortController();
    const both = [queue.embed(text(1), gone.signal), queue.embed(text(2), never)];
    await runner.batchCount(1);
    gone.abort(new Error("gone"));
    await expect(both[0]!).rejects.toThrow("gone");
    runner.batches[0]!.answer();
    expect((await both[1]!).vector[0]).toBe(2);
  });

  test("before it came is refused", async () => {
    const { runner, queue } = start();
    await expect(queue.embed(text(1), AbortSignal.abort(new Error("early")))).rejects.toThrow("early");
    expect(runner.batches.length).toBe(0);
  });
});

test("a batch that fails fails its texts only; the next is computed", async () => {
  const { runner, queue } = start();
  const failing = queue.embed(text(1), never);
  await runner.batchCount(1);
  const next = queue.embed(text(2), never);
  runner.batches[0]!.fail(new Error("lost"));
  await expect(failing).rejects.toThrow("lost");
  await runner.batchCount(2);
  runner.batches[1]!.answer();
  expect((await next).vector[0]).toBe(2);
});
