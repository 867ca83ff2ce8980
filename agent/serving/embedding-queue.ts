import { type BatchDecision, decideBatch } from "./decide-batch.ts";
import { createDrainRate, workingMs } from "./drain-rate.ts";
import { byTurn, createFairLine, type FairShare } from "./fair-line.ts";
import type { FreeLane, Lanes } from "./model-lanes.ts";
import { createRefusedTexts } from "./refused-texts.ts";

export interface QueuedVector {
  /** Shared with others who asked for the same text: not to be changed. Not normalised. */
  readonly vector: Float32Array;
  /** This text's share of its batch's inference time; 0 for those who shared another's computation. */
  readonly computeMs: number;
  /** From its arrival in the line until its batch was handed out. */
  readonly waitMs: number;
}

/** What became of the line's head. */
export interface SentBatch extends BatchDecision {
  /** Tokens of the texts themselves, padding left out. */
  readonly usefulTokens: number;
  /** How long each text had waited. */
  readonly waitsMs: readonly number[];
}

/** One request's texts in the line, which shares the model fairly among requests. */
export interface QueuedRequest {
  /**
   * The vectors of texts, in order. Texts that are the same as one that waits or is being computed are computed once. May be called
   * again, for the rest of a request that does not enter the line all at once.
   * Rejects with the signal's reason when it aborts; what nobody waits for any more is not computed.
   */
  embed(texts: readonly Uint32Array[]): Promise<QueuedVector[]>;
}

export interface EmbeddingQueue {
  /** Nothing waits until the request's first `embed`. */
  open(signal: AbortSignal): QueuedRequest;
  /** A request of one text. */
  embed(ids: Uint32Array, signal: AbortSignal): Promise<QueuedVector>;
  /** Texts that wait for a batch. */
  depth(): number;
  /** Tokens that wait for a batch, before padding. */
  waitingTokens(): number;
  /**
   * How long a request that came now would wait for others, until the last of its texts has its turn; null before anything was computed.
   * @param tokens of all its texts
   */
  expectedWaitMs(request: { readonly texts: number; readonly tokens: number }): number | null;
  /** How long so many tokens take; null likewise. */
  computeMs(tokens: number): number | null;
  /** How long everything that waits or is being computed would take; null likewise. */
  drainMs(): number | null;
}

interface Waiter {
  readonly request: OpenRequest;
  resolve(result: QueuedVector): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly key: string;
  readonly ids: Uint32Array;
  readonly tokens: number;
  readonly arrival: number;
  readonly arrivedMs: number;
  rank: number;
  waits: boolean;
  readonly waiters: Set<Waiter>;
}

interface OpenRequest {
  readonly share: FairShare;
  /** Texts that are not answered yet. */
  readonly unanswered: Map<Waiter, Entry>;
}

function keyOf(ids: Uint32Array): string {
  return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString("latin1");
}

/**
 * @param onBatch is told of every batch that was handed out.
 * @param nowMs a monotonous clock
 */
export function createEmbeddingQueue(
  lanes: Lanes,
  onBatch: (batch: SentBatch) => void,
  nowMs: () => number = () => performance.now(),
): EmbeddingQueue {
  let waiting: Entry[] = [];
  let waitingTokens = 0;
  let tokensInFlight = 0;
  /** Since when batches are under way, or the last one was answered: what was computed by then took that long. */
  let busySinceMs = 0;
  let arrivals = 0;
  let pumping = false;
  /** Requests with texts that are not answered. */
  let requests = 0;
  /** Waiting and being computed, by the text's tokens. */
  const byKey = new Map<string, Entry>();
  const refused = createRefusedTexts(nowMs);
  const line = createFairLine();
  const drain = createDrainRate();

  const msFor = (tokens: number) => {
    const tokensPerMs = drain.tokensPerMs();
    return tokensPerMs === null ? null : tokens / tokensPerMs;
  };

  const forget = (waiter: Waiter) => {
    const { unanswered } = waiter.request;
    if (unanswered.delete(waiter) && unanswered.size === 0) requests -= 1;
  };

  const finish = (entry: Entry, settle: (waiter: Waiter, first: boolean) => void) => {
    byKey.delete(entry.key);
    let first = true;
    for (const waiter of entry.waiters) {
      forget(waiter);
      settle(waiter, first);
      first = false;
    }
  };

  const take = (batch: BatchDecision): Entry[] => {
    const entries = batch.take.map((place) => waiting[place] as Entry);
    for (const entry of entries) entry.waits = false;
    waiting = waiting.filter((entry) => entry.waits);
    return entries;
  };

  const runBatch = async (lane: FreeLane, batch: BatchDecision, entries: readonly Entry[]) => {
    const sentMs = nowMs();
    const usefulTokens = entries.reduce((sum, entry) => sum + entry.tokens, 0);
    waitingTokens -= usefulTokens;
    if (tokensInFlight === 0) busySinceMs = sentMs;
    tokensInFlight += usefulTokens;
    line.advance(usefulTokens, requests);
    onBatch({ ...batch, usefulTokens, waitsMs: entries.map((entry) => sentMs - entry.arrivedMs) });
    try {
      const result = await lane.run(
        entries.map((entry) => entry.ids),
        batch.paddedTokens,
      );
      const computeMs = result.computeMs / entries.length;
      for (const [index, entry] of entries.entries()) {
        const refusal = result.refused?.get(index);
        if (refusal !== undefined) {
          refused.add(entry.key, refusal);
          finish(entry, (waiter) => waiter.reject(refusal));
          continue;
        }
        const vector = result.vectors[index];
        if (vector === undefined) throw new Error("the model answered with fewer vectors than texts. This is a bug.");
        const waitMs = sentMs - entry.arrivedMs;
        finish(entry, (waiter, first) => waiter.resolve({ vector, computeMs: first ? computeMs : 0, waitMs }));
      }
      const doneMs = nowMs();
      drain.record(usefulTokens, workingMs(doneMs - busySinceMs, result.computeMs));
      busySinceMs = doneMs;
    } catch (error) {
      for (const entry of entries) finish(entry, (waiter) => waiter.reject(error));
    } finally {
      tokensInFlight -= usefulTokens;
      pump();
    }
  };

  const sendAll = () => {
    pumping = false;
    let sorted = false;
    while (waiting.length > 0) {
      const lane = lanes.next({
        waitingTokens,
        outstandingTokens: waitingTokens + tokensInFlight,
        outstandingTexts: byKey.size,
      });
      if (lane === null) return;
      if (!sorted) waiting.sort(byTurn);
      sorted = true;
      const batch = decideBatch(waiting, lane.policy);
      if (batch === null) return;
      void runBatch(lane, batch, take(batch));
    }
  };

  /** Everything that arrives in the same turn (the texts of one request, requests read together) joins the first batch. */
  const pump = () => {
    if (pumping) return;
    pumping = true;
    setImmediate(sendAll);
  };

  const leave = (waiter: Waiter, entry: Entry) => {
    entry.waiters.delete(waiter);
    if (entry.waiters.size > 0 || !entry.waits) return;
    entry.waits = false;
    waitingTokens -= entry.tokens;
    byKey.delete(entry.key);
  };

  const enter = (ids: Uint32Array, request: OpenRequest): Promise<QueuedVector> => {
    const { promise, resolve, reject } = Promise.withResolvers<QueuedVector>();
    const key = keyOf(ids);
    const refusal = refused.reason(key);
    if (refusal !== undefined) return Promise.reject(refusal);
    const tokens = ids.length;
    const rank = line.rank(request.share, tokens);
    let entry = byKey.get(key);
    if (entry === undefined) {
      arrivals += 1;
      const arrivedMs = nowMs();
      entry = { key, ids, tokens, rank, arrival: arrivals, arrivedMs, waits: true, waiters: new Set() };
      byKey.set(key, entry);
      waiting.push(entry);
      waitingTokens += tokens;
    } else if (rank < entry.rank) entry.rank = rank;
    const waiter: Waiter = { request, resolve, reject };
    entry.waiters.add(waiter);
    if (request.unanswered.size === 0) requests += 1;
    request.unanswered.set(waiter, entry);
    return promise;
  };

  const open = (signal: AbortSignal): QueuedRequest => {
    const request: OpenRequest = { share: { reachesTo: 0 }, unanswered: new Map() };
    const leaveAll = (reason: unknown) => {
      for (const [waiter, entry] of [...request.unanswered]) {
        leave(waiter, entry);
        forget(waiter);
        waiter.reject(reason);
      }
      waiting = waiting.filter((entry) => entry.waits);
    };
    const onAbort = () => leaveAll(signal.reason);
    return {
      async embed(texts) {
        if (signal.aborted) throw signal.reason;
        signal.addEventListener("abort", onAbort, { once: true });
        const results = Promise.all(texts.map((ids) => enter(ids, request)));
        pump();
        try {
          return await results;
        } catch (error) {
          // One text that can't be computed fails the request: nobody waits for its others any more.
          leaveAll(error);
          throw error;
        } finally {
          signal.removeEventListener("abort", onAbort);
        }
      },
    };
  };

  return {
    open,
    async embed(ids, signal) {
      const [result] = await open(signal).embed([ids]);
      return result as QueuedVector;
    },
    depth: () => waiting.length,
    waitingTokens: () => waitingTokens,
    expectedWaitMs({ texts, tokens }) {
      const lastRank = line.now() + tokens * (1 - 1 / Math.max(1, texts));
      const ahead = waiting.reduce((sum, entry) => (entry.rank <= lastRank ? sum + entry.tokens : sum), 0);
      return msFor(tokensInFlight + ahead);
    },
    computeMs: msFor,
    drainMs: () => msFor(tokensInFlight + waitingTokens),
  };
}
