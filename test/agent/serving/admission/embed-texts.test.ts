import { describe, expect, spyOn, test } from "bun:test";
import { Registry } from "prom-client";
import { TextEmbedder } from "#agent/serving/admission/embed-texts.ts";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { EmbedderParts } from "#agent/serving/admission/embedder-parts.ts";
import { ResultCache } from "#agent/serving/admission/result-cache.ts";
import { defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import { createRecentTraffic } from "#agent/serving/batching/recent-traffic.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import type { ComputeGate, RefusedRequest } from "#agent/serving/ports.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { createServingMetrics } from "#agent/serving/serving-metrics.ts";
import { BatchFailedError, type BatchResult } from "#agent/serving/worker/model-process.ts";
import type { ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { ServiceError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { singleLane } from "../batching/single-lane.ts";
import { recordingSink } from "../start-serving.ts";

const found = await findModel("all-MiniLM-L6-v2", null);

/** A gate that stays closed until it is opened. */
function closedGate() {
  const waiting: (() => void)[] = [];
  const asked: number[] = [];
  const gate: ComputeGate = {
    enter(texts, signal) {
      asked.push(texts);
      return new Promise((resolve, reject) => {
        waiting.push(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    },
  };
  /** Lets those in that wait, as soon as any do. */
  const open = async () => {
    while (waiting.length === 0) await Bun.sleep(0);
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { gate, asked, open };
}

/** The other methods of a tokenizer. */
const allAtOnce = {
  *tokenizeInSteps(text: string) {
    yield;
    return { ids: new Uint32Array(text.length), truncated: true };
  },
  *tokenizePairInSteps() {
    yield;
    return { ids: new Uint32Array(), truncated: false };
  },
  *nameInSteps(text: string) {
    yield;
    return { ids: new Uint32Array(text.length), before: 0, after: 0 };
  },
  tokenName: String,
  isSpecial: () => false,
};

const causesOf = ({ refused }: { readonly refused: readonly RefusedRequest[] }) => refused.map(({ cause }) => cause);

function setUp(
  run: (texts: readonly Uint32Array[]) => Promise<BatchResult> = async (texts) => ({
    vectors: texts.map(() => Float32Array.of(3, 4)),
    computeMs: 5,
  }),
  { gate, ...parts }: Partial<EmbedderParts> & { readonly gate?: ComputeGate } = {},
) {
  const runner = { state: "loaded", restarts: 0, process: null, run } as unknown as ModelRunner;
  const model: EmbeddingModel = {
    found,
    // A text is as many tokens as it has letters.
    tokenizer: {
      ...allAtOnce,
      tokenize: (text) => ({ ids: new Uint32Array(text.length).fill(text.charCodeAt(0)), truncated: text.length > 9 }),
      tokenizePair: () => ({ ids: new Uint32Array(), truncated: false }),
      acceptTokenIds: (ids) => ({ kind: "accepted", rule: "marked", ids: Uint32Array.from(ids), truncated: false }),
      limitTo: () => {},
      idMarks: { highestId: 65_535, before: [], after: [], padId: null, maxTokens: found.manifest.maxTokens },
      lastId: 65_535,
      addedIds: [],
    },
    decodeIds: null,
    knownTokens: {
      settle: async (process) => process,
      isUnknown: () => false,
      notes: () => [],
    },
    queue: new EmbeddingQueue(
      singleLane(runner, { maxTokens: 512, maxTexts: 8, padTo: defaultLengths }),
      () => {},
      gate === undefined ? {} : { gate },
    ),
    limitPending: () => null,
    runner,
    recent: createRecentTraffic(performance.now()),
    engine: () => null,
    version: () => found.manifest,
    doubt: () => null,
    notes: () => [],
    changedFile: async () => null,
    pids: () => [],
    memoryBytes: async () => null,
    stop: async () => {},
  };
  const sink = recordingSink();
  const registry = new Registry();
  const leases = { taken: 0, released: 0 };
  const embedder = new TextEmbedder({
    acquireModel(name) {
      if (name !== undefined) throw new ServiceError("MODEL_NOT_FOUND", "no such model");
      leases.taken += 1;
      let open = true;
      const release = () => {
        if (open) leases.released += 1;
        open = false;
      };
      return { model, release };
    },
    findModel: (name) => (name === undefined ? found : null),
    loadedModel: () => model,
    queueDepth: () => model.queue.depth(),
    sink,
    role: { role: "active", servingPeers: () => [] },
    metrics: createServingMetrics(registry, {
      queueDepth: () => 0,
      inFlight: () => 0,
      cachedBytes: () => 0,
      runners: () => [],
      modelBytes: () => 0,
      doubts: () => [],
      gpus: { read: async () => [] },
    }),
    cache: new ResultCache(0),
    stopping: () => false,
    limits: {
      queueRequests: 100,
      queueTexts: 4,
      queueTokens: 1000,
      queueBytes: 1_000_000,
      queueMs: 60_000,
      requestTimeoutMs: 60_000,
      maxTokenizeRequests: 4,
      emptyTexts: "refuse",
    },
    log: createLogger("test", "silent"),
    ...parts,
  });
  const counted = async (status: string) => {
    const line = (await registry.metrics()).split("\n").find((row) => row.includes(`status="${status}"`));
    return Number(line?.split(" ").at(-1) ?? 0);
  };
  const metric = async (name: string) => {
    const line = (await registry.metrics()).split("\n").find((row) => row.startsWith(name) && !row.startsWith("#"));
    return Number(line?.split(" ").at(-1) ?? 0);
  };
  return { embedder, sink, counted, metric, model, leases };
}

const ask = (inputs: EmbedRequest["inputs"], signal = new AbortController().signal): EmbedRequest => ({
  model: undefined,
  inputs,
  inputsField: "inputs",
  dimensions: undefined,
  signal,
});

async function refusalOf(promise: Promise<unknown>): Promise<ServiceError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ServiceError);
  return error;
}

test("a request is answered, recorded and counted", async () => {
  const { embedder, sink, counted } = setUp();
  const result = await embedder.embed(ask(["aaa", "bbbb", "ccccccccccc"]));
  expect({ tokens: result.tokens, truncated: result.truncatedInputs }).toEqual({ tokens: 18, truncated: 1 });
  expect(sink.served[0]).toMatchObject({ model: "all-MiniLM-L6-v2", texts: 3, tokens: 18 });
  expect(sink.served[0]!.computeMs).toBeGreaterThan(0);
  expect(await counted("success")).toBe(1);
  expect(embedder.inFlight()).toBe(0);
});

test("a request that is answered leaves nothing at its client's signal", async () => {
  const { embedder } = setUp();
  const client = new AbortController();
  const begun = spyOn(client.signal, "addEventListener");
  const ended = spyOn(client.signal, "removeEventListener");
  await embedder.embed(ask(["aaa"], client.signal));
  expect(begun.mock.calls.length).toBeGreaterThan(0);
  for (const [kind, listener] of begun.mock.calls)
    expect(ended.mock.calls.map(([type, each]) => [type, each])).toContainEqual([kind, listener]);
});

test("texts from the cache are counted as such", async () => {
  const { embedder, sink } = setUp(undefined, { cache: new ResultCache(1_000_000) });
  await embedder.embed(ask(["aaa"]));
  await embedder.embed(ask(["aaa", "bbbb"]));
  expect(sink.served.map(({ texts, cachedTexts }) => [texts, cachedTexts])).toEqual([
    [1, 0],
    [2, 1],
  ]);
});

test("a text that is too long is refused where it may not be cut, computed or remembered", async () => {
  const { embedder, sink } = setUp(undefined, { cache: new ResultCache(1_000_000) });
  const uncut = { ...ask(["aaa", "cccccccccccccc"]), truncate: false };
  for (const _ of ["computed", "remembered"]) {
    const error = await refusalOf(embedder.embed(uncut));
    expect(error.code).toBe("INVALID_REQUEST");
    expect(error.message).toContain("inputs.1: expected at most 256 tokens");
    await embedder.embed({ ...uncut, truncate: true });
  }
  expect(sink.served).toHaveLength(2);
});

test("a client's latency budget ends the wait before the configured time does", async () => {
  const { gate } = closedGate();
  const { embedder } = setUp(undefined, { gate });
  const error = await refusalOf(embedder.embed({ ...ask(["aaa"]), latencyBudgetMs: 5 }));
  expect(error.code).toBe("DEADLINE_EXCEEDED");
  expect(error.message).toBe("no answer within 5 ms");
});

describe("texts that were asked for before", () => {
  const cached = () => {
    const computed: number[] = [];
    const { gate, asked, open } = closedGate();
    const set = setUp(
      async (texts) => {
        computed.push(texts.length);
        return { vectors: texts.map((ids) => Float32Array.of(ids[0]!, 1)), computeMs: 5 };
      },
      { cache: new ResultCache(1_000_000), gate },
    );
    return { ...set, computed, asked, open };
  };

  test("are answered as the first time, past the gate and the model", async () => {
    const { embedder, sink, computed, asked, open } = cached();
    const first = embedder.embed(ask(["a", "bbbbbbbbbbb"]));
    await open();
    const { durationMs: _first, cachedTexts: before, ...expected } = await first;
    // The gate is closed.
    const { durationMs: _second, cachedTexts, ...again } = await embedder.embed(ask(["a", "bbbbbbbbbbb"]));
    expect(again).toEqual(expected);
    expect([before, cachedTexts]).toEqual([0, 2]);
    expect(again).toMatchObject({ tokens: 12, truncatedInputs: 1 });
    expect({ computed, asked }).toEqual({ computed: [2], asked: [2] });
    expect(sink.served.map(({ texts, tokens, computeMs }) => ({ texts, tokens, computeMs }))).toEqual([
      { texts: 2, tokens: 12, computeMs: 5 },
      { texts: 2, tokens: 12, computeMs: 0 },
    ]);
  });

  test("leave only the others to compute, and each vector comes in its place", async () => {
    const { embedder, asked, open } = cached();
    const first = embedder.embed(ask(["b"]));
    await open();
    await first;
    const mixed = embedder.embed(ask(["a", "b", "c"]));
    await open();
    expect((await mixed).vectors.map(([value]) => String.fromCharCode(value!))).toEqual(["a", "b", "c"]);
    expect(asked).toEqual([1, 2]);
  });

  test("are answered although the queue is full", async () => {
    const { embedder, open } = cached();
    const first = embedder.embed(ask(["b"]));
    await open();
    await first;
    const waiting = embedder.embed(ask(["c", "d", "e", "f"]));
    expect((await refusalOf(embedder.embed(ask(["g"])))).code).toBe("TOO_MANY_REQUESTS");
    expect((await embedder.embed(ask(["b"]))).tokens).toBe(1);
    await open();
    await waiting;
  });
});

describe("a full queue", () => {
  test("refuses requests with a time to retry, and admits them again when it is emptier", async () => {
    const { gate, asked, open } = closedGate();
    const { embedder, sink, counted } = setUp(undefined, { gate });
    const waiting = [embedder.embed(ask(["a", "b"])), embedder.embed(ask(["c"]))];
    const refusal = await refusalOf(embedder.embed(ask(["d", "e"])));
    expect(refusal.code).toBe("TOO_MANY_REQUESTS");
    expect(refusal.retryAfterS).toBeGreaterThanOrEqual(1);
    const last = embedder.embed(ask(["f"]));
    // The gate is asked once, for what had been tokenized by then.
    while (asked.length === 0) await Bun.sleep(0);
    expect({ depth: embedder.queueDepth(), asked: asked.length, inFlight: embedder.inFlight() }).toEqual({
      depth: 4,
      asked: 1,
      inFlight: 3,
    });
    expect(asked[0]).toBeOneOf([2, 3, 4]);
    await open();
    await Promise.all([...waiting, last]);
    expect(embedder.queueDepth()).toBe(0);
    expect(causesOf(sink)).toEqual(["queue"]);
    expect(await counted("rejected")).toBe(1);
    const again = embedder.embed(ask(["d", "e", "f", "g"]));
    await open();
    expect((await again).vectors.length).toBe(4);
  });

  test("a request larger than the queue itself is refused", async () => {
    const { embedder } = setUp();
    expect((await refusalOf(embedder.embed(ask(["a", "b", "c", "d", "e"])))).code).toBe("PAYLOAD_TOO_LARGE");
  });
});

test("a client that disconnects while it waits at the gate is neither an error nor served, and frees its place", async () => {
  const { gate, open } = closedGate();
  const { embedder, sink, counted } = setUp(undefined, { gate });
  const client = new AbortController();
  const request = embedder.embed(ask(["a", "b", "c", "d"], client.signal));
  await Bun.sleep(0);
  client.abort();
  await refusalOf(request);
  expect({ served: sink.served, refused: sink.refused }).toEqual({ served: [], refused: [] });
  expect(await counted("cancelled")).toBe(1);
  expect({ depth: embedder.queueDepth(), inFlight: embedder.inFlight() }).toEqual({ depth: 0, inFlight: 0 });
  const next = embedder.embed(ask(["a", "b", "c", "d"]));
  await open();
  await next;
});

test("a client that has disconnected before its request waits is cancelled at once", async () => {
  const { embedder, counted } = setUp(undefined, { gate: closedGate().gate });
  expect((await refusalOf(embedder.embed(ask(["a"], AbortSignal.abort())))).code).toBe("INVALID_REQUEST");
  expect([await counted("cancelled"), embedder.queueDepth()]).toEqual([1, 0]);
});

test("a request that takes too long is answered with a deadline error and counted as an error of this side", async () => {
  const { gate } = closedGate();
  const { embedder, sink } = setUp(undefined, {
    gate,
    limits: {
      queueRequests: 100,
      queueTexts: 4,
      queueTokens: 1000,
      queueBytes: 1_000_000,
      queueMs: 60_000,
      requestTimeoutMs: 20,
      maxTokenizeRequests: 4,
      emptyTexts: "refuse",
    },
  });
  expect((await refusalOf(embedder.embed(ask(["a"])))).code).toBe("DEADLINE_EXCEEDED");
  expect(causesOf(sink)).toEqual(["deadline"]);
});

test.each([
  { name: "a batch that the model refuses", error: new BatchFailedError("no"), code: "INTERNAL" },
  {
    name: "a model that is unavailable",
    error: new ServiceError("MODEL_UNAVAILABLE", "gone"),
    code: "MODEL_UNAVAILABLE",
  },
])("$name is an error of ours", async ({ error, code }) => {
  const { embedder, sink, counted } = setUp(() => Promise.reject(error));
  expect((await refusalOf(embedder.embed(ask(["a", "b"])))).code).toBe(code as ServiceError["code"]);
  expect(causesOf(sink)).toEqual(["error"]);
  expect(await counted("error")).toBe(1);
});

test.each([
  { name: "stopping", parts: { stopping: () => true }, code: "SHUTTING_DOWN" },
  { name: "standby", parts: { role: { role: "standby" as const, servingPeers: () => [] } }, code: "AGENT_STANDBY" },
])("while $name requests are rejected, not failed", async ({ parts, code }) => {
  const { embedder, sink } = setUp(undefined, parts);
  expect((await refusalOf(embedder.embed(ask(["a"])))).code).toBe(code as ServiceError["code"]);
  expect(sink.refused).toEqual([
    { model: found.manifest.id, tenant: "default", texts: 1, tokens: 3, cause: "standby" },
  ]);
});

test("an unknown model is the client's mistake: neither rejected nor failed", async () => {
  const { embedder, sink, counted } = setUp();
  const refusal = await refusalOf(embedder.embed({ ...ask(["a"]), model: "x" }));
  expect(refusal.code).toBe("MODEL_NOT_FOUND");
  expect(sink.refused).toEqual([]);
  expect(await counted("invalid")).toBe(1);
});

test("a request that is cut off because the agent stops is rejected, not cancelled by its client", async () => {
  let stopping = false;
  const { embedder, sink, counted } = setUp(undefined, { gate: closedGate().gate, stopping: () => stopping });
  const connection = new AbortController();
  const request = embedder.embed(ask(["a"], connection.signal));
  await Bun.sleep(0);
  stopping = true;
  connection.abort();
  expect((await refusalOf(request)).code).toBe("SHUTTING_DOWN");
  expect([causesOf(sink), await counted("cancelled")]).toEqual([["standby"], 0]);
});

describe("a lease of the model", () => {
  test("is released after an answer, a refusal and a failure", async () => {
    const { embedder, leases } = setUp();
    await embedder.embed(ask(["a"]));
    expect(leases).toEqual({ taken: 1, released: 1 });
    await refusalOf(embedder.embed({ ...ask(["a"]), dimensions: 1_000 }));
    expect(leases).toEqual({ taken: 2, released: 2 });
    const failing = setUp(() => Promise.reject(new BatchFailedError("no")));
    await refusalOf(failing.embedder.embed(ask(["a"])));
    expect(failing.leases).toEqual({ taken: 1, released: 1 });
  });

  test("is released before a refusal is delayed, and a flood's refusals are", async () => {
    const { gate, open } = closedGate();
    const { embedder, leases } = setUp(undefined, { gate });
    const waiting = embedder.embed(ask(["a", "b", "c", "d"]));
    const clients = Array.from({ length: 200 }, () => new AbortController());
    let refused = 0;
    const refusals = clients.map(({ signal }) =>
      refusalOf(embedder.embed(ask(["e"], signal))).then(({ code }) => {
        expect(code).toBe("TOO_MANY_REQUESTS");
        refused += 1;
      }),
    );
    for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(refused).toBeGreaterThanOrEqual(20);
    expect(refused).toBeLessThan(200);
    expect(leases).toEqual({ taken: 201, released: 200 });
    for (const client of clients) client.abort();
    await Promise.all(refusals);
    await open();
    await waiting;
  });
});

describe("tenants", () => {
  const of = (tenant: string, inputs: string[]) => ({ ...ask(inputs), tenant });

  test.each([
    { weight: 3, evicted: true },
    { weight: 1, evicted: false },
  ])("with weight $weight, three of four places are a tenant's share: $evicted", async ({ weight, evicted }) => {
    const { gate, open } = closedGate();
    const { embedder } = setUp(undefined, { gate, weightOf: (tenant) => (tenant === "red" ? weight : 1) });
    const flood = embedder.embed(of("blue", ["a", "b", "c", "d"]));
    const own = embedder.embed(of("red", ["e", "f", "g"]));
    const [refused, answered] = evicted ? [flood, own] : [own, flood];
    expect((await refusalOf(refused)).code).toBe("TOO_MANY_REQUESTS");
    await open();
    expect((await answered).vectors.length).toBe(evicted ? 3 : 4);
  });

  test("are charged for their texts in the queue and the cache", async () => {
    const { embedder, model, sink } = setUp(undefined, { cache: new ResultCache(1_000_000) });
    for (const tenant of ["red", "red", "blue"]) await embedder.embed(of(tenant, ["a"]));
    expect(sink.served.map(({ tenant, computeMs }) => [tenant, computeMs > 0])).toEqual([
      ["red", true],
      ["red", false],
      ["blue", true],
    ]);
    expect([model.queue.waitingTokens("red"), model.queue.openRequests()]).toEqual([0, 0]);
  });

  test("a request whose batch is being computed is not evicted", async () => {
    const batch = Promise.withResolvers<void>();
    const computing = Promise.withResolvers<void>();
    const { embedder } = setUp(async (texts) => {
      computing.resolve();
      await batch.promise;
      return { vectors: texts.map(() => Float32Array.of(1)), computeMs: 1 };
    });
    const begun = embedder.embed(of("blue", ["a", "b", "c", "d"]));
    await computing.promise;
    const own = embedder.embed(of("red", ["e"]));
    batch.resolve();
    expect((await begun).vectors.length).toBe(4);
    expect((await own).vectors.length).toBe(1);
  });
});

describe("the queue", () => {
  test("is told the deadline: a request that can't meet it makes place for others at once", async () => {
    const { gate } = closedGate();
    const { embedder, model } = setUp(undefined, { gate });
    model.queue.assumeSpeed(60, 40_000); // 2.5 tokens per second
    const late = embedder.embed({ ...ask(["aaaa", "bbbb"]), latencyBudgetMs: 1_500 });
    const client = new AbortController();
    const other = embedder.embed(ask(["c"], client.signal));
    const refusal = await refusalOf(late);
    expect([refusal.code, refusal.message]).toEqual(["TOO_MANY_REQUESTS", "it can no longer be computed in time"]);
    client.abort();
    await refusalOf(other);
  });

  test("is left by a large request whose client disconnects", async () => {
    const { gate } = closedGate();
    const { embedder, model } = setUp(undefined, {
      gate,
      limits: {
        queueRequests: 100,
        queueTexts: 1_000,
        queueTokens: 100_000,
        queueBytes: 10_000_000,
        queueMs: 60_000,
        requestTimeoutMs: 60_000,
        maxTokenizeRequests: 4,
        emptyTexts: "refuse",
      },
    });
    const client = new AbortController();
    const large = embedder.embed(
      ask(
        Array.from({ length: 600 }, (_, index) => String.fromCharCode(1_000 + index)),
        client.signal,
      ),
    );
    while (model.queue.depth() === 0) await Bun.sleep(0);
    expect(model.queue.openRequests()).toBe(1);
    client.abort();
    await refusalOf(large);
    expect([model.queue.openRequests(), model.queue.depth()]).toEqual([0, 0]);
  });
});

test("an answer that comes after the deadline is not given, although its timer is late", async () => {
  const { embedder } = setUp(async (texts) => {
    Bun.sleepSync(60);
    return { vectors: texts.map(() => Float32Array.of(1)), computeMs: 60 };
  });
  expect((await refusalOf(embedder.embed({ ...ask(["a"]), latencyBudgetMs: 30 }))).code).toBe("DEADLINE_EXCEEDED");
});

test("counters: cached and computed texts, tokens, cut texts", async () => {
  const { embedder, metric, model } = setUp(undefined, { cache: new ResultCache(1_000_000) });
  await embedder.embed(ask(["a", "bb"]));
  await embedder.embed(ask(["a", "ccccccccccc", "dd"]));
  expect(await metric("akidb_result_cache_hits_total")).toBe(1);
  expect(await metric("akidb_result_cache_misses_total")).toBe(4);
  expect(await metric("akidb_tokens_processed_total")).toBe(3 + 14);
  expect(await metric("thormesh_truncated_texts_total")).toBe(1);
  expect(model.recent.summary(performance.now()).throughputQps).toBeGreaterThan(0);
});

test("a prompt is put before the texts", async () => {
  const { manifest } = found;
  const withPrompts = { ...found, manifest: { ...manifest, prompts: { query: "query: " } } };
  const { embedder, model } = setUp();
  Object.assign(model, { found: withPrompts });
  expect((await embedder.embed({ ...ask(["a"]), promptName: "query" })).tokens).toBe("query: a".length);
  expect((await embedder.embed(ask(["a"]))).tokens).toBe(1);
});
