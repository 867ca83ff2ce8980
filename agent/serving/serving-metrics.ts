import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { registerGauge, registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { RefusalCause } from "#protocol/messages.ts";
import type { SentBatch } from "./batching/sent-batches.ts";
import { registerGpuMetrics } from "./gpu/gpu-metrics.ts";
import type { GpuMonitor } from "./gpu/gpu-monitor.ts";
import type { EngineReport } from "./onnxruntime/execution-provider.ts";
import type { ModelRunner } from "./worker/model-runner.ts";

/** Outcome of a request, the `status` label. */
export type RequestStatus = "success" | "invalid" | "rejected" | "error" | "cancelled";

export type ServingMetrics = ReturnType<typeof createServingMetrics>;

/**
 * Counts what happens at every request, and adds it to a counter of the registry when that is read: looking up a counter's labels costs more than
 * an answer from the cache should.
 */
class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string, count: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  /** @param into adds a count to the counter; a count of 0 shows that nothing has happened yet */
  empty(into: (key: string, count: number) => void): void {
    for (const [key, count] of this.#counts) {
      if (count > 0) into(key, count);
      this.#counts.set(key, 0);
    }
  }
}

/** Registers the metrics of serving; gauges read their values when scraped. */
export function createServingMetrics(
  registry: Registry,
  watched: {
    readonly queueDepth: () => number;
    readonly inFlight: () => number;
    readonly cachedBytes: () => number;
    readonly runners: () => readonly ModelRunner[];
    readonly modelBytes: () => number;
    /** Loaded models, and whether their vectors may be wrong. */
    readonly doubts: () => Iterable<readonly [model: string, doubtful: boolean]>;
    readonly gpus: GpuMonitor;
  },
) {
  const counter = <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  /** A counter by model that a tally is added to. */
  const tallied = (name: string, help: string, tally: Tally) =>
    new Counter({
      name,
      help,
      labelNames: ["model"],
      registers: [registry],
      collect() {
        tally.empty((model, count) => this.inc({ model }, count));
      },
    });
  const [answered, tokenTally, hitTally] = [new Tally(), new Tally(), new Tally()];
  const histogram = <Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ) => new Histogram({ name, help, labelNames, buckets, registers: [registry] });
  const requests = new Counter({
    name: "akidb_embed_requests_total",
    help: "Embedding requests by model and outcome: success, invalid, rejected, error, cancelled",
    labelNames: ["model", "status"],
    registers: [registry],
    collect() {
      answered.empty((model, count) => this.inc({ model, status: "success" }, count));
    },
  });
  const refusals = counter(
    "thormesh_refused_requests_total",
    "Requests that got no vectors, by cause: queue, deadline, standby, rate-limit, error",
    "model",
    "cause",
  );
  const latency = histogram(
    "akidb_embed_latency_seconds",
    "Time from arrival to answer of answered requests",
    [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1],
    "model",
  );
  const batchSize = histogram("akidb_batch_size", "Texts per batch", [1, 2, 4, 8, 16, 32, 64], "model");
  const queueWait = histogram(
    "akidb_embedding_queue_wait_seconds",
    "Time that a text waited in the model's queue until its batch was sent",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  );
  const batchTokens = counter(
    "akidb_batch_tokens_total",
    "Tokens that the models computed, by kind: text, or padding that makes the texts of a batch equally long",
    "kind",
  );
  batchTokens.inc({ kind: "text" }, 0);
  batchTokens.inc({ kind: "padding" }, 0);
  let paddingTokens = 0;
  let computedTokens = 0;
  const restarts = counter("akidb_worker_restarts_total", "Processes of a model that were lost and restarted", "model");
  const engineInfo = new Gauge({
    name: "akidb_execution_provider_info",
    help: "1 for the execution provider of each model's process",
    labelNames: ["model", "provider"],
    registers: [registry],
  });
  const engineBuilds = counter("akidb_tensorrt_engine_builds_total", "TensorRT engines built when loading models");
  const engineHits = counter(
    "akidb_tensorrt_engine_cache_hits_total",
    "TensorRT engines found in the cache when loading models",
  );
  tallied("akidb_tokens_processed_total", "Tokens of answered texts, special tokens included", tokenTally);
  const truncated = counter(
    "thormesh_truncated_texts_total",
    "Texts cut because they were longer than the model reads",
    "model",
  );
  const loadSeconds = histogram(
    "akidb_model_load_seconds",
    "Time from the start of a model's process until the model was loaded",
    [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    "model",
  );
  const hits = tallied("akidb_model_cache_hits_total", "Requests whose model was loaded", hitTally);
  const misses = counter("akidb_model_cache_misses_total", "Requests that waited for their model to load", "model");
  const evictions = counter(
    "thormesh_model_evictions_total",
    "Evicted models, by cause: memory, idle, replaced, removed, failed",
    "model",
    "cause",
  );
  const resultHits = counter("akidb_result_cache_hits_total", "Texts whose vectors were in the cache");
  const resultMisses = counter("akidb_result_cache_misses_total", "Texts that had to be computed");
  const gauge = (name: string, help: string, read: () => number) => registerGauge(registry, name, help, read);
  gauge("akidb_embedding_queue_depth", "Texts waiting for the board's capacity or for a batch", watched.queueDepth);
  gauge(
    "akidb_model_cache_size",
    "Loaded models",
    () => watched.runners().filter((runner) => runner.state === "loaded").length,
  );
  registerGauges(
    registry,
    "thormesh_model_doubtful",
    "1 for a model whose files changed without a manifest with hashes, or whose vectors differ from its first load",
    ["model"],
    () => [...watched.doubts()].map(([model, doubtful]) => [{ model }, Number(doubtful)] as const),
  );
  gauge("thormesh_model_memory_bytes", "Memory of the models' processes at the last measurement", watched.modelBytes);
  gauge("thormesh_result_cache_bytes", "Estimated memory of the cached vectors", watched.cachedBytes);
  gauge("thormesh_requests_in_flight", "Embedding requests in progress", watched.inFlight);
  gauge("akidb_padding_waste_ratio", "Share of padding among all computed tokens, since the start", () =>
    computedTokens === 0 ? 0 : paddingTokens / computedTokens,
  );
  registerGpuMetrics(registry, watched.gpus);
  return {
    recordRequest(model: string, status: RequestStatus, latencyMs: number) {
      if (status !== "success") return requests.inc({ model, status });
      answered.add(model, 1);
      latency.observe({ model }, latencyMs / 1000);
    },
    recordRefusal(model: string, cause: RefusalCause) {
      refusals.inc({ model, cause });
    },
    recordTokens(model: string, count: number, truncatedTexts: number) {
      tokenTally.add(model, count);
      if (truncatedTexts > 0) truncated.inc({ model }, truncatedTexts);
    },
    recordBatch(model: string, { take, paddedTokens, usefulTokens, waitsMs }: SentBatch) {
      batchSize.observe({ model }, take.length);
      for (const waitMs of waitsMs) queueWait.observe(waitMs / 1000);
      const padding = take.length * paddedTokens - usefulTokens;
      batchTokens.inc({ kind: "text" }, usefulTokens);
      batchTokens.inc({ kind: "padding" }, padding);
      paddingTokens += padding;
      computedTokens += usefulTokens + padding;
    },
    recordModelLookup(model: string, loaded: boolean) {
      if (loaded) hitTally.add(model, 1);
      else misses.inc({ model });
    },
    recordModelEviction: (model: string, cause: string) => evictions.inc({ model, cause }),
    /** Counts a request's texts that were in the cache, and those that were not. */
    recordResultLookup(hitTexts: number, missedTexts: number) {
      if (hitTexts > 0) resultHits.inc(hitTexts);
      if (missedTexts > 0) resultMisses.inc(missedTexts);
    },
    recordModelLoad(model: string, loadMs: number, { provider, engines }: EngineReport) {
      for (const other of ["tensorrt", "cuda", "cpu"]) engineInfo.remove({ model, provider: other });
      engineInfo.set({ model, provider }, 1);
      engineBuilds.inc(engines?.built ?? 0);
      engineHits.inc(engines?.reused ?? 0);
      loadSeconds.observe({ model }, loadMs / 1000);
      // Present from the start, so that the first one shows as an increase.
      for (const counter of [restarts, hits, misses]) counter.inc({ model }, 0);
    },
    recordModelRestart: (model: string) => restarts.inc({ model }),
  };
}
