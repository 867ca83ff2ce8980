import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ResultCache, resultKey } from "#agent/serving/admission/result-cache.ts";
import { WrittenVectors } from "#agent/serving/admission/written-vectors.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import type { BatchResult } from "#agent/serving/worker/model-process.ts";

// Stores of answers, and of work under way: what one tenant asked for is as new to another as if nobody had asked.
const ids = Uint32Array.of(1, 2, 3);
const { signal } = new AbortController();

/** A queue whose batches the test answers; lists how many texts each had. */
function queueOf(answer: (texts: readonly Uint32Array[]) => Omit<BatchResult, "computeMs">) {
  const batches: number[] = [];
  let now = 0;
  const policy = { maxTokens: 256, maxTexts: 32, padTo: "longest" as const };
  const queue = new EmbeddingQueue(
    {
      next: () => ({
        policy,
        async run(texts) {
          batches.push(texts.length);
          return { ...answer(texts), computeMs: 1 };
        },
      }),
    },
    () => {},
    { nowMs: () => (now += 1) },
  );
  return { queue, batches };
}

describe("a tenant is not told by its waiting time", () => {
  test("what others have in the cache: an answer is found by who asked for it", () => {
    const cache = new ResultCache(1_000_000);
    const key = resultKey({ id: "m", revision: "1" }, "secret");
    cache.put("red", key, { vector: Float32Array.of(1), tokens: 3, truncated: false });
    expect(cache.get("red", key)).toBeDefined();
    expect(cache.get("blue", key)).toBeUndefined();
    expect(cache.get("default", key)).toBeUndefined();
  });

  test("what others wait for: the same text is computed for each of them, also in one batch", async () => {
    const { queue, batches } = queueOf((texts) => ({ vectors: texts.map((_, index) => Float32Array.of(index)) }));
    const both = await Promise.all(["red", "red", "blue"].map((tenant) => queue.embed(ids, signal, tenant)));
    expect(batches).toEqual([2]);
    expect(both.map(({ vector }) => vector[0])).toEqual([0, 0, 1]);
    // Each pays for its own: none has it for nothing because another was first.
    expect(both.map(({ computeMs }) => computeMs)).toEqual([0.5, 0, 0.5]);
  });

  test("what others were refused: a text that failed is tried again", async () => {
    const { queue, batches } = queueOf(() => ({
      vectors: [undefined],
      refused: new Map([[0, new Error("too hard")]]),
    }));
    const ask = (tenant: string) =>
      queue.embed(ids, signal, tenant).then(
        () => "answered",
        () => "failed",
      );
    expect([await ask("red"), await ask("red")]).toEqual(["failed", "failed"]);
    expect(batches).toEqual([1]);
    expect(await ask("blue")).toBe("failed");
    expect(batches).toEqual([1, 1]);
  });

  test("what others were answered: a vector is written once for each tenant that has one", () => {
    const written = new WrittenVectors(1_000_000);
    const cache = new ResultCache(1_000_000);
    for (const tenant of ["red", "blue"])
      cache.put(tenant, "key", { vector: Float32Array.of(7), tokens: 1, truncated: false });
    let writes = 0;
    const write = (tenant: string) =>
      written.get(cache.get(tenant, "key")!.vector, "base64", () => {
        writes += 1;
        return "text";
      });
    for (const tenant of ["red", "red", "blue", "blue"]) write(tenant);
    expect(writes).toBe(2);
  });
});

/**
 * Fields and variables that hold something between requests, by file, of all that is made of texts: a new one is to be looked at for what it tells
 * one tenant of another, and then listed here.
 */
const holders: Readonly<Record<string, string>> = {
  "agent/serving/admission/admitted-requests.ts": "sums by tenant",
  "agent/serving/admission/embed-texts.ts": "fingerprints of models",
  "agent/serving/admission/latency-budgets.ts": "settings by tenant",
  "agent/serving/admission/name-tokens.ts": "places by tenant",
  "agent/serving/admission/result-cache.ts": "answers, apart by tenant",
  "agent/serving/admission/tenant.ts": "settings by tenant",
  "agent/serving/admission/written-vectors.ts":
    "answers as they were written, by the vector itself, which is one tenant's",
  "agent/serving/batching/embedding-queue.ts": "a request's own texts",
  "agent/serving/batching/fair-queue.ts": "turns by tenant",
  "agent/serving/batching/queued-texts.ts": "texts under way, apart by tenant",
  "agent/serving/batching/refused-texts.ts": "texts that failed; one for each tenant",
  "agent/serving/batching/tenant-texts.ts": "texts under way of one tenant",
  "agent/serving/refusal/refusal-pace.ts": "pace by tenant",
  "agent/serving/tenants/tenant-limits.ts": "buckets by tenant",
  "agent/serving/tenants/tenant-quotas.ts": "days and months",
  "agent/serving/text/models/token-model.ts": "tokens of words of up to 32 characters, shared: docs/security.md",
  "agent/serving/text/parts/charsmap.ts": "normalised characters, shared: docs/security.md",
  // Made once from the tokenizer's file.
  "agent/serving/text/models/bpe.ts": "vocabulary",
  "agent/serving/text/models/unigram.ts": "vocabulary",
  "agent/serving/text/models/word-models.ts": "vocabulary",
  "agent/serving/text/parts/added-tokens.ts": "vocabulary",
  "agent/serving/text/parts/part.ts": "settings",
  "agent/serving/text/read-text.ts": "vocabulary",
  "agent/serving/text/text-tokenizer.ts": "vocabulary",
  "agent/serving/text/token-template.ts": "vocabulary",
};

test("every store between texts and vectors is known", () => {
  const folders = ["admission", "batching", "refusal", "tenants", "text"].map((name) => `agent/serving/${name}/`);
  const root = `${import.meta.dir}/../../../../`;
  const files = [...new Bun.Glob("agent/serving/**/*.ts").scanSync(root)].filter((path) =>
    folders.some((folder) => path.startsWith(folder)),
  );
  const holding = files.filter((path) => /new (Weak)?Map\b/.test(readFileSync(root + path, "utf8")));
  expect(holding.sort()).toEqual(Object.keys(holders).sort());
});
