import { AdmittedRequests } from "#agent/serving/admission/admitted-requests.ts";
import { type AdmissionLimits, decideAdmission } from "#agent/serving/admission/decide-admission.ts";
import { batchCost } from "#agent/serving/batching/decide-batch.ts";
import { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import type { FreeLane, Lanes, QueueView } from "#agent/serving/batching/model-lanes.ts";
import { ServiceError } from "#platform/errors.ts";

/** One client of a simulated queue: it asks again when it is answered. */
export interface SimulatedClient {
  readonly tenant: string;
  /** Tokens of each text of its next request. */
  readonly ask: () => readonly number[];
  /** Until its next request after an answer, and after a refusal. */
  readonly thinkMs: () => number;
  readonly refusedMs: () => number;
  readonly latencyBudgetMs?: number;
  readonly startMs?: number;
  /** From then on it asks no more. */
  readonly endMs?: number;
}

export interface SimulatedOutcome {
  readonly tenant: string;
  readonly kind: "answered" | "refused" | "late";
  readonly texts: number;
  readonly tokens: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface SimulatedClock {
  now(): number;
  /** Calls `run` at a time. */
  at(atMs: number, run: () => void): void;
}

export interface SimulationOptions {
  readonly clients: readonly SimulatedClient[];
  readonly endMs: number;
  /** Speed of the model at a time. Default: 10 tokens a ms. */
  readonly costPerMs?: (nowMs: number) => number;
  /** Fixed cost of a batch in tokens beside the one that agents assume. */
  readonly moreOverhead?: number;
  readonly lanes?: number;
  /** Makes the processes that compute. Default: `lanes` of equal speed. */
  readonly createLanes?: (clock: SimulatedClock) => Lanes;
  readonly maxTokens?: number;
  readonly weights?: Readonly<Record<string, number>>;
  readonly limits?: Partial<AdmissionLimits>;
  /** Speed assumed before the first batch. */
  readonly assumed?: boolean;
  /** Is called every two seconds. */
  readonly look?: (queue: EmbeddingQueue, nowMs: number) => void;
}

interface ComputedForTenant {
  readonly atMs: number;
  readonly tenant: string;
  readonly tokens: number;
  readonly cost: number;
}

export interface Simulated {
  readonly outcomes: readonly SimulatedOutcome[];
  /** Texts computed for each tenant: tokens, and their part of what the batch cost. */
  readonly computed: readonly ComputedForTenant[];
  readonly maxBatchTokens: number;
}

const usualLimits: AdmissionLimits = {
  queueRequests: 1_024,
  queueTexts: 4_096,
  queueTokens: 262_144,
  queueBytes: 1e9,
  queueMs: 5_000,
  requestTimeoutMs: 30_000,
};

/**
 * The real queue, fair order and admission on a clock that stands still until all that can happen has happened: minutes pass in
 * milliseconds and every run is the same.
 */
export async function simulateQueue(options: SimulationOptions): Promise<Simulated> {
  const limits = { ...usualLimits, ...options.limits };
  const maxTokens = options.maxTokens ?? 256;
  const costPerMs = options.costPerMs ?? (() => 10);
  let now = 0;
  let order = 0;
  const events: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  const at = (atMs: number, run: () => void) => {
    order += 1;
    const event = { atMs, order, run };
    let place = events.length;
    while (place > 0) {
      const before = events[place - 1] as (typeof events)[number];
      if (before.atMs <= atMs) break;
      place -= 1;
    }
    events.splice(place, 0, event);
  };

  const computed: ComputedForTenant[] = [];
  /** A text's first token says whose it is, the second makes it different from others. */
  const names = [...new Set(options.clients.map(({ tenant }) => tenant))];
  const policy = { maxTokens, maxTexts: 32, padTo: "longest" as const };
  const laneCount = options.lanes ?? 1;
  let busy = 0;
  const lane: FreeLane = {
    policy,
    run(texts, paddedTokens) {
      busy += 1;
      const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<FreeLane["run"]>>>();
      const cost = batchCost(texts.length, paddedTokens);
      const computeMs = ((cost + (options.moreOverhead ?? 0)) * laneCount) / costPerMs(now);
      at(now + computeMs, () => {
        busy -= 1;
        for (const ids of texts)
          computed.push({
            atMs: now,
            tenant: names[ids[0] as number] as string,
            tokens: ids.length,
            cost: cost / texts.length,
          });
        resolve({ vectors: texts.map(() => Float32Array.of(1)), computeMs });
      });
      return promise;
    },
  };
  const weightOf = (tenant: string) => options.weights?.[tenant] ?? 1;
  const lanes = options.createLanes?.({ now: () => now, at }) ?? {
    next: (_line: QueueView) => (busy < laneCount ? lane : null),
  };
  const queue = new EmbeddingQueue(lanes, () => {}, {
    nowMs: () => now,
    weightOf,
  });
  if (options.assumed !== false) queue.assumeSpeed(216, 256 / costPerMs(0));
  const held = new AdmittedRequests(weightOf);
  const outcomes: SimulatedOutcome[] = [];
  let textNumber = 0;

  const request = async (client: SimulatedClient) => {
    if (now >= Math.min(options.endMs, client.endMs ?? Number.POSITIVE_INFINITY)) return;
    const { tenant, latencyBudgetMs = null } = client;
    const lengths = client.ask();
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const startedMs = now;
    const deadlineMs = now + Math.min(limits.requestTimeoutMs, latencyBudgetMs ?? Number.POSITIVE_INFINITY);
    const ended = new AbortController();
    let kind: SimulatedOutcome["kind"] = "answered";
    let release = () => {};
    let close = () => {};
    try {
      const decision = decideAdmission(
        { texts: lengths.length, bytes: 1_000 * lengths.length, latencyBudgetMs },
        {
          ...held.state(tenant, (of) => queue.waitingTokens(of)),
          openRequests: queue.openRequests(),
          expectedWaitMs: queue.expectedWaitMs(tenant, tokens),
          computeMs: queue.computeMs(tokens),
          drainMs: queue.drainMs(),
        },
        limits,
      );
      let begun = () => false;
      release = held.enter(
        {
          tenant,
          texts: lengths.length,
          bytes: 1_000 * lengths.length,
          begun: () => begun(),
          evict: (reason) => ended.abort(reason),
        },
        decision,
      );
      const queued = queue.open(ended.signal, { tenant, texts: lengths.length, tokens, deadlineMs });
      begun = () => queued.begun;
      close = queued.close;
      at(deadlineMs, () => ended.abort(new ServiceError("DEADLINE_EXCEEDED", "late")));
      await queued.embed(
        lengths.map((length) => {
          textNumber += 1;
          const ids = new Uint32Array(Math.max(2, length));
          ids[0] = names.indexOf(tenant);
          ids[1] = textNumber;
          return ids;
        }),
      );
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      kind = error.code === "TOO_MANY_REQUESTS" ? "refused" : "late";
    } finally {
      close();
      release();
    }
    outcomes.push({ tenant, kind, texts: lengths.length, tokens, startedMs, endedMs: now });
    at(now + (kind === "refused" ? client.refusedMs() : client.thinkMs()), () => void request(client));
  };

  const { look } = options;
  for (let lookMs = 0; look !== undefined && lookMs <= options.endMs; lookMs += 2_000)
    at(lookMs, () => look(queue, now));
  for (const client of options.clients) at(client.startMs ?? 0, () => void request(client));
  const settle = async () => {
    for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  for (;;) {
    const event = events.shift();
    if (event === undefined || event.atMs > options.endMs) break;
    now = event.atMs;
    event.run();
    // Everything of one moment happens before the queue looks again.
    while ((events[0]?.atMs ?? Number.POSITIVE_INFINITY) <= now) (events.shift() as typeof event).run();
    await settle();
  }
  return { outcomes, computed, maxBatchTokens: maxTokens };
}

/** Numbers in [0, 1) that look random, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
