import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { registerGauge, registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { SentBatch } from "./batching/embedding-queue.ts";
import { registerGpuMetrics } from "./gpu/gpu-metrics.ts";
import type { GpuMonitor } from "./gpu/gpu-monitor.ts";
import type { EngineReport } from "./onnxruntime/execution-provider.ts";
import type { ModelRunner } from "./worker/model-runner.ts";

/** How a request ended, as the `status` label has it. */
export type RequestStatus = "ok" | "invalid" | "rejected" | "error" | "cancelled";

export interface ServingMetrics {
  recordRequest(model: string, status: RequestStatus, latencyMs: number): void;
  recordTokens(model: string, tokens: number, truncatedTexts: number): void;
  recordBatch(batch: SentBatch): void;
  recordModelLookup(loaded: boolean): void;
  /** Texts of a request that were computed before, and those that were not. */
  recordResultLookup(hits: number, misses: number): void;
  recordModelEviction(model: string, cause: string): void;
  recordModelLoad(model: string, loadMs: number, engine: EngineReport): void;
  /** A model's process was lost and is started again. */
  recordModelRestart(model: string): void;
}

/** Registers serving's metrics; the gauges ask for their values when scraped. */
export function createServingMetrics(
  registry: Registry,
  watched: {
    readonly queueDepth: () => number;
    readonly inFlight: () => number;
    readonly cachedBytes: () => number;
    readonly runners: () => readonly ModelRunner[];
    readonly modelBytes: () => number;
    /** Models that are loaded, and whether their vectors may be wrong. */
    readonly doubts: () => Iterable<readonly [model: string, doubtful: boolean]>;
    readonly gpus: GpuMonitor;
  },
): ServingMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "akidb_embed_requests_total",
    help: "Embedding requests by model and how they ended: ok, invalid, rejected, error, cancelled",
    labelNames: ["model", "status"],
    registers,
  });
  const latency = new Histogram({
    name: "akidb_embed_latency_seconds",
    help: "From a request's arrival to its vectors, of requests that were answered",
    labelNames: ["model"],
    buckets: [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1],
    registers,
  });
  const batchSize = new Histogram({
    name: "akidb_batch_size",
    help: "Texts computed together",
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers,
  });
  const queueWait = new Histogram({
    name: "akidb_embedding_queue_wait_seconds",
    help: "How long a text waited in the model's line until its batch was handed out",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const batchTokens = new Counter({
    name: "akidb_batch_tokens_total",
    help: "Tokens that the models computed: of the texts themselves, and padding that makes a batch's texts equally long",
    labelNames: ["kind"],
    registers,
  });
  batchTokens.inc({ kind: "text" }, 0);
  batchTokens.inc({ kind: "padding" }, 0);
  let paddingTokens = 0;
  let computedTokens = 0;
  const restarts = new Counter({
    name: "akidb_worker_restarts_total",
    help: "How often a model's process was lost and started again",
    labelNames: ["model"],
    registers,
  });
  const engineInfo = new Gauge({
    name: "akidb_execution_provider_info",
    help: "1 for what each model's process computes with",
    labelNames: ["model", "provider"],
    registers,
  });
  const engineBuilds = new Counter({
    name: "akidb_tensorrt_engine_builds_total",
    help: "TensorRT engines that were built when a model was loaded",
    registers,
  });
  const engineHits = new Counter({
    name: "akidb_tensorrt_engine_cache_hits_total",
    help: "TensorRT engines that were found in the cache when a model was loaded",
    registers,
  });
  const tokens = new Counter({
    name: "akidb_tokens_processed_total",
    help: "Tokens of answered texts, special tokens included",
    labelNames: ["model"],
    registers,
  });
  const truncated = new Counter({
    name: "thormesh_truncated_texts_total",
    help: "Texts that were longer than the model reads and were cut",
    labelNames: ["model"],
    registers,
  });
  const loadSeconds = new Histogram({
    name: "akidb_model_load_seconds",
    help: "From the start of a model's process until it was loaded",
    labelNames: ["model"],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const hits = new Counter({
    name: "akidb_model_cache_hits_total",
    help: "Requests whose model was loaded",
    registers,
  });
  const misses = new Counter({
    name: "akidb_model_cache_misses_total",
    help: "Requests that waited for their model to be loaded",
    registers,
  });
  const evictions = new Counter({
    name: "thormesh_model_evictions_total",
    help: "Models that gave up their memory, by cause: memory, idle, replaced, removed, failed",
    labelNames: ["model", "cause"],
    registers,
  });
  const resultHits = new Counter({
    name: "akidb_result_cache_hits_total",
    help: "Texts whose vectors were kept from before",
    registers,
  });
  const resultMisses = new Counter({
    name: "akidb_result_cache_misses_total",
    help: "Texts that had to be computed",
    registers,
  });
  registerGauge(
    registry,
    "akidb_embedding_queue_depth",
    "Texts that wait: for the board's capacity or for a batch",
    watched.queueDepth,
  );
  registerGauge(registry, "akidb_model_cache_size", "Models that are loaded", () => {
    return watched.runners().filter((runner) => runner.state === "loaded").length;
  });
  registerGauges(
    registry,
    "thormesh_model_doubtful",
    "1 for a model whose files changed and that has no manifest with hashes, or whose vectors differ from before",
    ["model"],
    () => [...watched.doubts()].map(([model, doubtful]) => [{ model }, Number(doubtful)] as const),
  );
  registerGauge(
    registry,
    "thormesh_model_memory_bytes",
    "Memory of the models' processes, as last measured",
    watched.modelBytes,
  );
  registerGauge(
    registry,
    "thormesh_result_cache_bytes",
    "Memory of the vectors that are kept, estimated",
    watched.cachedBytes,
  );
  registerGauge(
    registry,
    "thormesh_requests_in_flight",
    "Embedding requests that are being answered",
    watched.inFlight,
  );
  registerGauge(
    registry,
    "akidb_padding_waste_ratio",
    "Share of padding among all computed tokens, since the start",
    () => (computedTokens === 0 ? 0 : paddingTokens / computedTokens),
  );
  registerGpuMetrics(registry, watched.gpus);
  return {
    recordRequest(model, status, latencyMs) {
      requests.inc({ model, status });
      if (status === "ok") latency.observe({ model }, latencyMs / 1000);
    },
    recordTokens(model, count, truncatedTexts) {
      tokens.inc({ model }, count);
      if (truncatedTexts > 0) truncated.inc({ model }, truncatedTexts);
    },
    recordBatch({ take, paddedTokens, usefulTokens, waitsMs }) {
      batchSize.observe(take.length);
      for (const waitMs of waitsMs) queueWait.observe(waitMs / 1000);
      const padding = take.length * paddedTokens - usefulTokens;
      batchTokens.inc({ kind: "text" }, usefulTokens);
      batchTokens.inc({ kind: "padding" }, padding);
      paddingTokens += padding;
      computedTokens += usefulTokens + padding;
    },
    recordModelLookup: (loaded) => (loaded ? hits : misses).inc(),
    recordModelEviction: (model, cause) => evictions.inc({ model, cause }),
    recordResultLookup(hitTexts, missedTexts) {
      if (hitTexts > 0) resultHits.inc(hitTexts);
      if (missedTexts > 0) resultMisses.inc(missedTexts);
    },
    recordModelLoad(model, loadMs, { provider, engines }) {
      for (const other of ["tensorrt", "cuda", "cpu"]) engineInfo.remove({ model, provider: other });
      engineInfo.set({ model, provider }, 1);
      engineBuilds.inc(engines?.built ?? 0);
      engineHits.inc(engines?.reused ?? 0);
      loadSeconds.observe({ model }, loadMs / 1000);
      restarts.inc({ model }, 0); // there from the start, so that the first loss shows as a rise
    },
    recordModelRestart: (model) => restarts.inc({ model }),
  };
}
