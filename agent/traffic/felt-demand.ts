import type { FeltFigures } from "#agent/power/power-governor.ts";
import type { PeerWork, RefusedRequest, ServedRequest, TrafficSink } from "#agent/serving/ports.ts";
import type { SloConfig } from "#agent/slo-config.ts";
import { secondMs } from "#platform/time.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyBucket, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { ModelBeat, RefusalCause } from "#protocol/messages.ts";
import { otherNames } from "./minute-counts.ts";

/** A model's requests since the last beat. */
export type AskedModel = Omit<ModelBeat, "capacity">;

export interface FeltDemandParts {
  readonly slo: SloConfig;
  readonly nowMs: () => number;
  /** Length of the stretch that `felt` tells of, on the clock of `nowMs`. */
  readonly windowMs: number;
  /** Called when requests begin to be refused for want of capacity, or to fail, after a quiet time. */
  readonly onTrouble: () => void;
}

interface Slice {
  readonly startMs: number;
  requests: number;
  refused: number;
  readonly latencyCounts: number[];
}

interface ModelCounts {
  requests: number;
  texts: number;
  cachedTexts: number;
  sentTexts: number;
  peerTexts: number;
  slowRequests: number;
  readonly latencyCounts: number[];
  readonly refused: Map<RefusalCause, { requests: number; texts: number; tokens: number }>;
}

/** Parts of the window: what is older is forgotten part by part. */
const slices = 15;
/** Models that one message can name. */
const maxModels = 64;
/** Trouble after this time without any is news. */
const quietMs = 30 * secondMs;

const emptyCounts = (): ModelCounts => ({
  ...{ requests: 0, texts: 0, cachedTexts: 0, slowRequests: 0, sentTexts: 0, peerTexts: 0 },
  latencyCounts: emptyLatencyCounts(),
  refused: new Map(),
});

function count(latencyCounts: number[], latencyMs: number): void {
  const bucket = latencyBucket(latencyMs);
  latencyCounts[bucket] = (latencyCounts[bucket] ?? 0) + 1;
}

/** Counts what users felt in the last seconds, and since the last beat. */
export class FeltDemand implements TrafficSink {
  readonly #parts: FeltDemandParts;
  /** The oldest first. */
  #slices: Slice[] = [];
  #models = new Map<string, ModelCounts>();
  #refusals = 0;
  #troubleAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: FeltDemandParts) {
    this.#parts = parts;
  }

  recordServed({ model, texts, cachedTexts, latencyMs, sentTexts = 0 }: ServedRequest): void {
    const slice = this.#slice();
    slice.requests += 1;
    count(slice.latencyCounts, latencyMs);
    const counts = this.#countsOf(model);
    counts.requests += 1;
    counts.texts += texts;
    counts.cachedTexts += cachedTexts;
    counts.sentTexts += sentTexts;
    if (latencyMs > this.#parts.slo.p95Ms) counts.slowRequests += 1;
    count(counts.latencyCounts, latencyMs);
  }

  /** Another agent's request is felt by its user too, and this agent's mode decides how. */
  recordWork({ model, texts, cachedTexts, latencyMs }: PeerWork): void {
    const slice = this.#slice();
    slice.requests += 1;
    count(slice.latencyCounts, latencyMs);
    this.#countsOf(model).peerTexts += texts - cachedTexts;
  }

  recordRefused({ model, texts, tokens, cause }: RefusedRequest): void {
    const { refused } = this.#countsOf(model);
    const sum = refused.get(cause) ?? { requests: 0, texts: 0, tokens: 0 };
    refused.set(cause, {
      requests: sum.requests + 1,
      texts: sum.texts + texts,
      tokens: sum.tokens + tokens,
    });
    if (cause === "queue" || cause === "deadline") {
      this.#slice().refused += 1;
      this.#refusals += 1;
    } else if (cause !== "error") return;
    const nowMs = this.#parts.nowMs();
    const isNews = Math.abs(nowMs - this.#troubleAtMs) > quietMs;
    this.#troubleAtMs = nowMs;
    if (isNews) this.#parts.onTrouble();
  }

  /** Requests refused for want of capacity since the start. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Returns what users felt in the last seconds. */
  felt(): FeltFigures {
    this.#forget();
    const sum = (figure: "requests" | "refused") => this.#slices.reduce((total, slice) => total + slice[figure], 0);
    const latencies = this.#slices.reduce(
      (counts, slice) => addLatencyCounts(counts, slice.latencyCounts),
      emptyLatencyCounts(),
    );
    return { requests: sum("requests"), refused: sum("refused"), p95Ms: latencyQuantileMs(latencies, 0.95) };
  }

  /** Returns the models that were asked for since the last call. */
  take(): AskedModel[] {
    const models = this.#models;
    this.#models = new Map();
    return [...models].map(([model, { latencyCounts, refused, sentTexts, peerTexts, ...counts }]) => ({
      model,
      ...counts,
      ...(sentTexts > 0 && { sentTexts }),
      ...(peerTexts > 0 && { peerTexts }),
      refused: [...refused].map(([cause, sums]) => ({ cause, ...sums })),
      p95Ms: latencyQuantileMs(latencyCounts, 0.95),
    }));
  }

  #countsOf(model: string): ModelCounts {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    if (this.#models.size >= maxModels - 1 && model !== otherNames) return this.#countsOf(otherNames);
    const counts = emptyCounts();
    this.#models.set(model, counts);
    return counts;
  }

  #slice(): Slice {
    const sliceMs = this.#parts.windowMs / slices;
    const startMs = Math.floor(this.#parts.nowMs() / sliceMs) * sliceMs;
    const last = this.#slices.at(-1);
    if (last?.startMs === startMs) return last;
    this.#forget();
    const added = { startMs, requests: 0, refused: 0, latencyCounts: emptyLatencyCounts() };
    this.#slices.push(added);
    return added;
  }

  #forget(): void {
    const { windowMs } = this.#parts;
    const nowMs = this.#parts.nowMs();
    // Slices of the future are left by a clock that was set back.
    this.#slices = this.#slices.filter(({ startMs }) => startMs > nowMs - windowMs && startMs <= nowMs);
  }
}
