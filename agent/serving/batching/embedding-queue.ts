import type { ComputeGate } from "#agent/serving/ports.ts";
import { ServiceError } from "#platform/errors.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import { type BatchDecision, batchCost, decideBatch, usualCostPerToken } from "./decide-batch.ts";
import { createDrainRate, workingMs } from "./drain-rate.ts";
import { type Claim, createFairQueue } from "./fair-queue.ts";
import type { FreeLane, Lanes } from "./model-lanes.ts";
import { createTenantTexts, inTurn, nextTurn, type QueuedText, type TenantTexts } from "./tenant-texts.ts";

export interface QueuedVector {
  /** Shared with others of the same tenant who asked for the same text: not to be changed. Not normalised. */
  readonly vector: Float32Array;
  /** This text's share of its batch's inference time; 0 for those who shared another's computation. */
  readonly computeMs: number;
  /** From its arrival in the queue until its batch was handed out. */
  readonly waitMs: number;
}

/** Outcome for the head of the queue. */
export interface SentBatch extends BatchDecision {
  /** Tokens of the texts themselves, padding left out. */
  readonly usefulTokens: number;
  /** How long each text had waited. */
  readonly waitsMs: readonly number[];
}

/** Facts about a request before it is tokenised. */
export interface RequestOutline {
  /** Whose it is. Default: the default tenant's. */
  readonly tenant?: string;
  /** Of all its texts, about. Default: counted as they come. */
  readonly tokens?: number;
  readonly texts?: number;
  /** On the queue's clock; what can't be done by then is not begun. Default: none. */
  readonly deadlineMs?: number;
}

/** One request's texts in the queue, which shares the model fairly among tenants and their requests. */
export interface QueuedRequest {
  /**
   * The vectors of texts, in order. Texts that are the same as one of the same tenant's that waits or is being computed are computed once.
   * May be called again, for the rest of a request that does not enter the queue all at once.
   * Rejects with the signal's reason when it aborts; what nobody waits for any more is not computed.
   * @throws ServiceError TOO_MANY_REQUESTS | DEADLINE_EXCEEDED as soon as it can't be done by its deadline.
   */
  embed(texts: readonly Uint32Array[]): Promise<QueuedVector[]>;
  /** Some of its texts were handed to the model. */
  readonly begun: boolean;
  /** Gives up its place; to be called once nothing more is wanted. */
  close(): void;
}

export interface EmbeddingQueue {
  /** Counts as waiting from now on. */
  open(signal: AbortSignal, outline?: RequestOutline): QueuedRequest;
  /** A request of one text. */
  embed(ids: Uint32Array, signal: AbortSignal, tenant?: string): Promise<QueuedVector>;
  /** Texts that wait for a batch. */
  depth(): number;
  /** Tokens that wait for a batch, before padding: all tenants', or one's. */
  waitingTokens(tenant?: string): number;
  /** Requests that are not answered. */
  openRequests(): number;
  /** Time that a request of the tenant would wait for others if it came now; null before anything is known of the model's speed. */
  expectedWaitMs(tenant: string, tokens: number): number | null;
  /** How long so many tokens take; null likewise. */
  computeMs(tokens: number): number | null;
  /** How long everything that waits or is being computed would take; null likewise. */
  drainMs(): number | null;
  /** Takes a batch that was computed before the first request as a measure of the speed until there is a better one. */
  assumeSpeed(tokens: number, computeMs: number): void;
}

interface Waiter {
  readonly request: OpenRequest;
  resolve(result: QueuedVector): void;
  reject(error: unknown): void;
}

type Entry = QueuedText<Waiter>;

interface OpenRequest {
  readonly claim: Claim;
  readonly texts: TenantTexts<Waiter>;
  readonly deadlineMs: number;
  /** Texts that are not answered yet. */
  readonly unanswered: Map<Waiter, Entry>;
  sentTexts: number;
}

/**
 * Maximum time that an idle tenant is owed: its share of this. A tenant that had all of an idle model before is as far ahead of one that comes then, and
 * waits for so long; that must stay well below what admission lets a request wait (`queueMs`).
 */
const creditMs = 2_000;
/** A request is dropped when it would be late even if it were computed alone and faster than of late. */
const hopefulShare = 0.75;
/** For so long a measured speed is taken for the present one. */
const freshMs = 2_000;
/** Other tenants' texts fill up a batch when their turn comes within so many batches. */
const nearBatches = 2;
/** Less than this is made up for by the order alone. */
const owedCost = 512;
/** However many smaller requests come, a large one is served in the end. */
const leastLeftShare = 0.02;
const longestRetryS = 30;

/**
 * @param onBatch is told of every batch that was handed out.
 * @param options.nowMs a monotonous clock
 * @param options.weightOf a tenant's weight; default: all are alike
 * @param options.gate is passed before it is chosen who is next, so that nobody who comes meanwhile has to wait behind those who are there
 */
export function createEmbeddingQueue(
  lanes: Lanes,
  onBatch: (batch: SentBatch) => void,
  options: {
    readonly nowMs?: () => number;
    readonly weightOf?: (tenant: string) => number;
    readonly gate?: ComputeGate;
  } = {},
): EmbeddingQueue {
  const { nowMs = () => performance.now(), weightOf = () => 1, gate } = options;
  let waitingTexts = 0;
  let waitingTokens = 0;
  let tokensInFlight = 0;
  let outstandingTexts = 0;
  /** Since when batches are under way, or the last one was answered: what was computed by then took that long. */
  let busySinceMs = 0;
  let arrivals = 0;
  let pumping = false;
  /** Texts that the gate has let through and that were not chosen yet. */
  let passes = 0;
  let atGate = false;
  /** Delay that the gate has added to the next send. */
  let heldMs = 0;
  const tenants = new Map<string, TenantTexts<Waiter>>();
  const requests = new Set<OpenRequest>();
  const fair = createFairQueue(weightOf);
  const drain = createDrainRate();

  const msFor = (tokens: number) => {
    const costPerMs = drain.costPerMs();
    return costPerMs === null ? null : (tokens * usualCostPerToken) / costPerMs;
  };

  /** Maximum that a returning tenant is owed, per weight. */
  const creditFor = (tenant: string) => ((drain.costPerMs() ?? 0) * creditMs) / fair.activeWeight(tenant);

  const textsOf = (tenant: string): TenantTexts<Waiter> => {
    const known = tenants.get(tenant);
    if (known !== undefined) return known;
    const texts = createTenantTexts<Waiter>(nowMs);
    tenants.set(tenant, texts);
    return texts;
  };

  const finish = (entry: Entry, settle: (waiter: Waiter, first: boolean) => void) => {
    entry.texts.byKey.delete(entry.key);
    outstandingTexts -= 1;
    let first = true;
    for (const waiter of entry.waiters) {
      waiter.request.unanswered.delete(waiter);
      settle(waiter, first);
      first = false;
    }
  };

  const take = (batch: BatchDecision, turns: readonly Entry[]): Entry[] => {
    const entries = batch.take.map((place) => turns[place] as Entry);
    const cost = batchCost(entries.length, batch.paddedTokens) / entries.length;
    const sentMs = nowMs();
    for (const entry of entries) {
      entry.waits = false;
      entry.texts.waitingTokens -= entry.tokens;
      waitingTokens -= entry.tokens;
      fair.charge(entry.claim.turn, cost);
      entry.texts.recentWork.record(entry.claim.size, cost, sentMs);
      for (const { request } of entry.waiters) {
        request.sentTexts += 1;
        request.claim.unsent = Math.max(0, request.claim.unsent - entry.tokens);
      }
    }
    waitingTexts -= entries.length;
    for (const texts of new Set(entries.map((entry) => entry.texts))) texts.sweep();
    return entries;
  };

  const runBatch = async (lane: FreeLane, batch: BatchDecision, entries: readonly Entry[]) => {
    const sentMs = nowMs();
    const usefulTokens = entries.reduce((sum, entry) => sum + entry.tokens, 0);
    if (tokensInFlight === 0 && heldMs === 0) busySinceMs = sentMs;
    const held = heldMs;
    heldMs = 0;
    tokensInFlight += usefulTokens;
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
          entry.texts.refused.add(entry.key, refusal);
          finish(entry, (waiter) => waiter.reject(refusal));
          continue;
        }
        const vector = result.vectors[index];
        if (vector === undefined) throw new Error("the model answered with fewer vectors than texts. This is a bug.");
        const waitMs = sentMs - entry.arrivedMs;
        finish(entry, (waiter, first) => waiter.resolve({ vector, computeMs: first ? computeMs : 0, waitMs }));
      }
      const doneMs = nowMs();
      const workedMs = workingMs(doneMs - busySinceMs, result.computeMs, held);
      drain.record(batchCost(entries.length, batch.paddedTokens), workedMs);
      busySinceMs = doneMs;
    } catch (error) {
      for (const entry of entries)
        if (entry.texts.byKey.get(entry.key) === entry) finish(entry, (waiter) => waiter.reject(error));
    } finally {
      tokensInFlight -= usefulTokens;
      pump();
    }
  };

  const leave = (waiter: Waiter, entry: Entry) => {
    entry.waiters.delete(waiter);
    if (entry.waiters.size > 0 || !entry.waits) return;
    entry.waits = false;
    entry.texts.waitingTokens -= entry.tokens;
    entry.texts.byKey.delete(entry.key);
    waitingTokens -= entry.tokens;
    waitingTexts -= 1;
    outstandingTexts -= 1;
  };

  const leaveAll = (request: OpenRequest, reason: unknown) => {
    for (const [waiter, entry] of [...request.unanswered]) {
      leave(waiter, entry);
      request.unanswered.delete(waiter);
      waiter.reject(reason);
    }
    request.texts.sweep();
  };

  const close = (request: OpenRequest) => {
    if (requests.delete(request)) fair.close(request.claim);
  };

  /** Drops requests that would be late whatever is done: computing them would make others late as well. */
  const dropLate = () => {
    const now = nowMs();
    // One that has the model to itself after a while is always tried: nobody knows how fast the model is now.
    if (requests.size < 2 && now - busySinceMs > freshMs) return;
    for (const request of requests) {
      if (request.deadlineMs === Number.POSITIVE_INFINITY || request.claim.unsent === 0) continue;
      const needMs = (msFor(request.claim.unsent) ?? 0) * hopefulShare;
      if (now + needMs <= request.deadlineMs || request.unanswered.size === 0) continue;
      const retryAfterS = Math.min(longestRetryS, Math.max(1, Math.ceil((msFor(waitingTokens) ?? 0) / 1000)));
      const error =
        request.sentTexts === 0
          ? new ServiceError("TOO_MANY_REQUESTS", "it can no longer be computed in time", { retryAfterS })
          : new ServiceError("DEADLINE_EXCEEDED", "it can no longer be computed in time", { retryAfterS });
      leaveAll(request, error);
      close(request);
    }
  };

  const passGate = async (held: ComputeGate, texts: number) => {
    const askedMs = nowMs();
    if (tokensInFlight === 0) busySinceMs = askedMs;
    atGate = true;
    try {
      await held.enter(texts);
      passes += texts;
    } catch (error) {
      for (const request of [...requests]) leaveAll(request, error);
    } finally {
      atGate = false;
      heldMs += nowMs() - askedMs;
    }
    sendAll();
  };

  /** Another tenant floods, and the one whose turn it is has had less than its share. */
  const isOwed = () => {
    if (tenants.size < 2) return false;
    const turn = nextTurn(tenants.values());
    return turn !== undefined && fair.isOwed(turn, owedCost);
  };

  const sendAll = () => {
    pumping = false;
    if (waitingTexts === 0) return;
    dropLate();
    const holding = gate?.holds?.() === false ? undefined : gate;
    while (waitingTexts > 0 && !atGate) {
      // Lanes are for what may be computed: a board that lets little through needs no more of them.
      const passing = holding === undefined ? 1 : Math.min(1, passes / waitingTexts);
      const lane = lanes.next({
        waitingTokens: waitingTokens * passing,
        outstandingTokens: waitingTokens * passing + tokensInFlight,
        outstandingTexts,
        owed: isOwed(),
      });
      if (lane === null) return;
      if (holding !== undefined && passes < 1) {
        const fitting = Math.ceil((lane.policy.maxTokens * waitingTexts) / waitingTokens);
        void passGate(holding, Math.max(1, Math.min(waitingTexts, fitting, lane.policy.maxTexts)));
        return;
      }
      const maxTexts = holding === undefined ? lane.policy.maxTexts : Math.min(passes, lane.policy.maxTexts);
      const policy = maxTexts < lane.policy.maxTexts ? { ...lane.policy, maxTexts } : lane.policy;
      const turns = inTurn(tenants.values(), nearBatches * lane.policy.maxTokens);
      const [first] = turns;
      const batch = decideBatch(turns, policy);
      if (batch === null || first === undefined) return;
      passes = Math.max(0, passes - batch.take.length);
      fair.lead(first.claim.turn);
      void runBatch(lane, batch, take(batch, turns));
    }
  };

  /** Everything that arrives in the same turn (the texts of one request, requests read together) joins the first batch. */
  const pump = () => {
    if (pumping) return;
    pumping = true;
    setImmediate(sendAll);
  };

  const enter = (ids: Uint32Array, request: OpenRequest): Promise<QueuedVector> => {
    const { promise, resolve, reject } = Promise.withResolvers<QueuedVector>();
    const { texts, claim } = request;
    const key = texts.keyOf(ids);
    const refusal = texts.refused.reason(key);
    if (refusal !== undefined) return Promise.reject(refusal);
    const tokens = ids.length;
    let entry = texts.byKey.get(key);
    if (entry === undefined) {
      arrivals += 1;
      entry = {
        key,
        ids,
        tokens,
        arrival: arrivals,
        arrivedMs: nowMs(),
        waits: true,
        claim,
        texts,
        waiters: new Set(),
      };
      texts.add(entry);
      waitingTokens += tokens;
      waitingTexts += 1;
      outstandingTexts += 1;
    } else {
      // What is being computed already costs this request nothing more.
      if (!entry.waits) claim.unsent = Math.max(0, claim.unsent - tokens);
      else if (claim.finish < entry.claim.finish) entry.claim = claim;
    }
    const waiter: Waiter = { request, resolve, reject };
    entry.waiters.add(waiter);
    request.unanswered.set(waiter, entry);
    return promise;
  };

  const open = (signal: AbortSignal, outline: RequestOutline = {}): QueuedRequest => {
    const { tenant = defaultTenant, tokens = 0, deadlineMs = Number.POSITIVE_INFINITY } = outline;
    const claim = fair.open(tenant, tokens, creditFor(tenant));
    const request: OpenRequest = { claim, texts: textsOf(tenant), deadlineMs, unanswered: new Map(), sentTexts: 0 };
    requests.add(request);
    let textsToCome = outline.texts ?? 0;
    let tokensToCome = tokens;
    const onAbort = () => leaveAll(request, signal.reason);
    return {
      async embed(texts) {
        if (signal.aborted) throw signal.reason;
        if (!requests.has(request)) {
          // Without a word on how much there is to come, a request ends with its last text.
          requests.add(request);
          claim.turn.claims.add(claim);
        }
        const thought = texts.length >= textsToCome ? tokensToCome : (tokensToCome * texts.length) / textsToCome;
        textsToCome = Math.max(0, textsToCome - texts.length);
        tokensToCome -= thought;
        fair.correct(claim, texts.reduce((sum, ids) => sum + ids.length, 0) - thought);
        if (request.texts.waitingTokens === 0) fair.resume(claim.turn, creditFor(tenant));
        signal.addEventListener("abort", onAbort, { once: true });
        const results = Promise.all(texts.map((ids) => enter(ids, request)));
        request.texts.reorder();
        pump();
        try {
          return await results;
        } catch (error) {
          // One text that can't be computed fails the request: nobody waits for its others any more.
          leaveAll(request, error);
          throw error;
        } finally {
          signal.removeEventListener("abort", onAbort);
          if (textsToCome === 0 && request.unanswered.size === 0) close(request);
        }
      },
      get begun() {
        return request.sentTexts > 0;
      },
      close: () => close(request),
    };
  };

  return {
    open,
    async embed(ids, signal, tenant = defaultTenant) {
      const request = open(signal, { tenant, texts: 1, tokens: ids.length });
      try {
        const [result] = await request.embed([ids]);
        return result as QueuedVector;
      } finally {
        request.close();
      }
    },
    depth: () => waitingTexts,
    waitingTokens: (tenant) => (tenant === undefined ? waitingTokens : (tenants.get(tenant)?.waitingTokens ?? 0)),
    openRequests: () => requests.size,
    expectedWaitMs(tenant, tokens) {
      const costPerMs = drain.costPerMs();
      if (costPerMs === null) return null;
      const ahead = tokensInFlight + fair.ahead(tenant, tokens, creditFor(tenant));
      const passing = tenants.get(tenant)?.recentWork.passing(tokens, nowMs()) ?? 0;
      const leftShare = Math.max(leastLeftShare, 1 - passing / costPerMs);
      return (usualCostPerToken * ((ahead + tokens) / leftShare - tokens)) / costPerMs;
    },
    computeMs: msFor,
    drainMs: () => msFor(tokensInFlight + waitingTokens),
    assumeSpeed(tokens, computeMs) {
      if (drain.costPerMs() === null && computeMs > 0) drain.record(batchCost(1, tokens), computeMs);
    },
  };
}
