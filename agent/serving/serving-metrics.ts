import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ModelRunner } from "./worker/model-runner.ts";

/** How a request ended, as the `status` label has it. */
export type RequestStatus = "ok" | "invalid" | "rejected" | "error" | "cancelled";

export interface ServingMetrics {
  recordRequest(model: string, status: RequestStatus, latencyMs: number): void;
  recordTokens(model: string, tokens: number, truncatedTexts: number): void;
  recordBatch(texts: number): void;
  recordModelLookup(loaded: boolean): void;
  /** Texts of a request that were computed before, and those that were not. */
  recordResultLookup(hits: number, misses: number): void;
  recordModelEviction(model: string, cause: string): void;
  recordModelLoad(model: string, loadMs: number): void;
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
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("akidb_embedding_queue_depth", "Texts that wait: for the board's capacity or for a batch", watched.queueDepth);
  gauge("akidb_model_cache_size", "Models that are loaded", () => {
    return watched.runners().filter((runner) => runner.state === "loaded").length;
  });
  gauge("thormesh_model_memory_bytes", "Memory of the models' processes, as last measured", watched.modelBytes);
  gauge("thormesh_result_cache_bytes", "Memory of the vectors that are kept, estimated", watched.cachedBytes);
  gauge("thormesh_requests_in_flight", "Embedding requests that are being answered", watched.inFlight);
  gauge("thormesh_model_process_restarts", "How often a model's process was lost and started again", () =>
    watched.runners().reduce((sum, runner) => sum + runner.restarts, 0),
  );
  return {
    recordRequest(model, status, latencyMs) {
      requests.inc({ model, status });
      if (status === "ok") latency.observe({ model }, latencyMs / 1000);
    },
    recordTokens(model, count, truncatedTexts) {
      tokens.inc({ model }, count);
      if (truncatedTexts > 0) truncated.inc({ model }, truncatedTexts);
    },
    recordBatch: (texts) => batchSize.observe(texts),
    recordModelLookup: (loaded) => (loaded ? hits : misses).inc(),
    recordModelEviction: (model, cause) => evictions.inc({ model, cause }),
    recordResultLookup(hitTexts, missedTexts) {
      if (hitTexts > 0) resultHits.inc(hitTexts);
      if (missedTexts > 0) resultMisses.inc(missedTexts);
    },
    recordModelLoad: (model, loadMs) => loadSeconds.observe({ model }, loadMs / 1000),
  };
}
