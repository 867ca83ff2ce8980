import type { ComputeGate } from "#agent/serving/ports.ts";
import { ServiceError } from "#platform/errors.ts";
import { defaultTenant } from "#protocol/messages.ts";
import { batchCost, decideBatch, usualCostPerToken } from "./decide-batch.ts";
import { FairQueue } from "./fair-queue.ts";
import type { Lanes } from "./model-lanes.ts";
import { ModelSpeed } from "./model-speed.ts";
import type { QueuedRequest, RequestOutline } from "./queued-request.ts";
import { QueuedTexts } from "./queued-texts.ts";
import { FailedTextError, RefusedTextError } from "./refused-texts.ts";
import { type Sending, type SentBatch, SentBatches } from "./sent-batches.ts";
import { inTurn, nextTurn, type OpenRequest, type QueuedVector } from "./tenant-texts.ts";
import type { Work } from "./work-record.ts";

/**
 * Maximum time that an idle tenant is owed: its share of this. A tenant that had an idle model to itself is as far ahead of one that comes
 * then, and waits as long; that must stay well below the longest wait that admission allows (`queueMs`).
 */
const creditMs = 2_000;
/** A request is dropped when it would be late even if it were computed alone, and in this share of the time that it takes at the recent speed. */
const hopefulShare = 0.75;
/** Texts of other tenants fill up a batch when their turn comes within this many batches. */
const nearBatches = 2;
/** A tenant that is owed less than this is served in the usual order. */
const minOwedCost = 512;
/** Minimum share of the model for a large request, however many smaller ones come. */
const minLeftShare = 0.02;
const maxRetryAfterS = 30;
/** Time of a warm-up that was too short to be measured: an unknown speed would admit any number of requests. */
const minWarmUpMs = 0.1;

/** The texts that wait for one model, which tenants and their requests share fairly. */
export class EmbeddingQueue {
  readonly #lanes: Lanes;
  readonly #batches: SentBatches;
  readonly #nowMs: () => number;
  readonly #gate: ComputeGate | undefined;
  readonly #fair: FairQueue;
  readonly #speed = new ModelSpeed();
  readonly #texts: QueuedTexts;
  readonly #requests = new Set<OpenRequest>();
  #pumping = false;
  /** Texts that the gate has let through and that are in no batch yet. */
  #passes = 0;
  #atGate = false;
  /** Tokens a millisecond by the warm-up. */
  #warmUpSpeed: number | null = null;

  /**
   * @param options.weightOf a tenant's weight; default: 1 for all
   * @param options.gate is passed before the next batch is chosen, so that a request that comes meanwhile can be in it
   */
  constructor(
    lanes: Lanes,
    onBatch: (batch: SentBatch) => void,
    options: {
      readonly nowMs?: () => number;
      readonly weightOf?: ((tenant: string) => number) | undefined;
      readonly gate?: ComputeGate | undefined;
    } = {},
  ) {
    this.#lanes = lanes;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#gate = options.gate;
    this.#fair = new FairQueue(options.weightOf ?? (() => 1));
    this.#texts = new QueuedTexts(this.#nowMs);
    this.#batches = new SentBatches({
      ...{ texts: this.#texts, fair: this.#fair, speed: this.#speed, nowMs: this.#nowMs, onBatch },
      boardMs: (texts) => this.#boardMs(texts),
      onEnd: () => this.#pump(),
    });
  }

  /** Opens a request, which counts as waiting from now on. */
  open(signal: AbortSignal, outline: RequestOutline = {}): QueuedRequest {
    const { tenant = defaultTenant, tokens = 0, texts = 0, deadlineMs = Number.POSITIVE_INFINITY } = outline;
    const request: OpenRequest = {
      claim: this.#fair.open(tenant, tokens, this.#creditOf(tenant)),
      texts: this.#texts.ofTenant(tenant),
      deadlineMs,
      unanswered: new Map(),
      sentTexts: 0,
      textsToCome: texts,
      tokensToCome: tokens,
    };
    this.#requests.add(request);
    return {
      embed: (ids) => this.#embed(request, signal, ids),
      get begun() {
        return request.sentTexts > 0;
      },
      close: () => this.#close(request),
    };
  }

  /** Computes one text. */
  async embed(ids: Uint32Array, signal: AbortSignal, tenant: string = defaultTenant): Promise<QueuedVector> {
    const request = this.open(signal, { tenant, texts: 1, tokens: ids.length });
    try {
      const [result] = await request.embed([ids]);
      return result as QueuedVector;
    } finally {
      request.close();
    }
  }

  depth(): number {
    return this.#texts.waitingTexts;
  }

  /** Tokens that wait for a batch, before padding: all tenants', or one's. */
  waitingTokens(tenant?: string): number {
    if (tenant === undefined) return this.#texts.waitingTokens;
    return this.#texts.tenants.get(tenant)?.waitingTokens ?? 0;
  }

  openRequests(): number {
    return this.#requests.size;
  }

  /** Time that a request of the tenant would wait for others if it came now; null before anything is known of the model's speed. */
  expectedWaitMs(tenant: string, tokens: number): number | null {
    const costPerMs = this.#speed.costPerMs();
    if (costPerMs === null) return null;
    const ahead = this.#speed.tokensInFlight + this.#fair.tokensAhead(tenant, tokens, this.#creditOf(tenant));
    const passing = this.#texts.tenants.get(tenant)?.recentWork.passing(tokens, this.#nowMs()) ?? 0;
    const leftShare = Math.max(minLeftShare, 1 - passing / costPerMs);
    return (usualCostPerToken * ((ahead + tokens) / leftShare - tokens)) / costPerMs;
  }

  /** Time to compute so many tokens; null before anything is known of the model's speed. */
  computeMs(tokens: number): number | null {
    return this.#speed.msFor(tokens);
  }

  /** Time to compute everything that waits or is being computed; null before anything is known of the model's speed. */
  drainMs(): number | null {
    return this.#speed.msFor(this.#speed.tokensInFlight + this.#texts.waitingTokens);
  }

  /** Takes a batch that was computed before the first request as a measure of the speed until there is a better one. */
  assumeSpeed(tokens: number, computeMs: number): void {
    const ms = Math.max(minWarmUpMs, computeMs, this.#boardMs(1));
    const costPerMs = batchCost(1, tokens) / ms;
    this.#warmUpSpeed = costPerMs / usualCostPerToken;
    this.#speed.assume(costPerMs);
  }

  /** Takes a speed that was measured in an earlier run for the present one until there is a better one. */
  rememberSpeed(tokensPerMs: number): void {
    this.#speed.assume(tokensPerMs * usualCostPerToken);
  }

  /** Work since the queue was opened, and tokens a millisecond by the warm-up; null before it. */
  measurements(): { readonly work: Work; readonly warmUpSpeed: number | null } {
    return { work: this.#batches.work, warmUpSpeed: this.#warmUpSpeed };
  }

  #boardMs(texts: number): number {
    return this.#gate?.msFor?.(texts) ?? 0;
  }

  /** Maximum that a returning tenant is owed, in work divided by weight. */
  #creditOf(tenant: string): number {
    return ((this.#speed.costPerMs() ?? 0) * creditMs) / this.#fair.activeWeight(tenant);
  }

  async #embed(request: OpenRequest, signal: AbortSignal, texts: readonly Uint32Array[]): Promise<QueuedVector[]> {
    if (signal.aborted) throw signal.reason;
    const { claim } = request;
    if (!this.#requests.has(request)) {
      // A request that did not announce more texts was closed after the ones before.
      this.#requests.add(request);
      claim.turn.claims.add(claim);
    }
    const { textsToCome, tokensToCome } = request;
    const estimate = texts.length >= textsToCome ? tokensToCome : (tokensToCome * texts.length) / textsToCome;
    request.textsToCome = Math.max(0, textsToCome - texts.length);
    request.tokensToCome -= estimate;
    this.#fair.correct(claim, texts.reduce((sum, ids) => sum + ids.length, 0) - estimate);
    if (request.texts.waitingTokens === 0) this.#fair.resume(claim.turn, this.#creditOf(claim.turn.tenant));
    const onAbort = () => this.#texts.abandon(request, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const results = Promise.all(texts.map((ids) => this.#texts.enter(ids, request)));
    request.texts.reorder();
    this.#pump();
    try {
      return await results;
    } catch (error) {
      // One text that can't be computed fails the request, so its other texts are not wanted.
      this.#texts.abandon(request, error);
      if (!(error instanceof RefusedTextError)) throw error;
      throw new FailedTextError(
        texts.findIndex((ids) => request.texts.keyOf(ids) === error.key),
        error,
      );
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (request.textsToCome === 0 && request.unanswered.size === 0) this.#close(request);
    }
  }

  #close(request: OpenRequest): void {
    if (this.#requests.delete(request)) this.#fair.close(request.claim);
  }

  /** Sends batches after the current event-loop turn, so that everything that arrives in it joins the first one. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(this.#sendAll);
  }

  readonly #sendAll = (): void => {
    this.#pumping = false;
    if (this.#texts.waitingTexts === 0) return;
    this.#dropLate();
    const sending = { leavesTexts: false };
    this.#send(sending);
    sending.leavesTexts = this.#texts.waitingTexts > 0;
  };

  /** Sends batches as long as texts wait and a lane is free. */
  #send(sending: Sending): void {
    const texts = this.#texts;
    const gate = this.#gate?.holds?.() === false ? undefined : this.#gate;
    while (texts.waitingTexts > 0 && !this.#atGate) {
      // Lanes are for texts that may be computed: a board that lets little through needs no more of them.
      const passingShare = gate === undefined ? 1 : Math.min(1, this.#passes / texts.waitingTexts);
      const waitingTokens = texts.waitingTokens * passingShare;
      const lane = this.#lanes.next({
        waitingTokens,
        outstandingTokens: waitingTokens + this.#speed.tokensInFlight,
        outstandingTexts: texts.outstandingTexts,
        owed: this.#isOwed(),
      });
      if (lane === null) return;
      if (gate !== undefined && this.#passes < 1) {
        const fitting = Math.ceil((lane.policy.maxTokens * texts.waitingTexts) / texts.waitingTokens);
        void this.#passGate(gate, Math.max(1, Math.min(texts.waitingTexts, fitting, lane.policy.maxTexts)));
        return;
      }
      const maxTexts = gate === undefined ? lane.policy.maxTexts : Math.min(this.#passes, lane.policy.maxTexts);
      const policy = maxTexts < lane.policy.maxTexts ? { ...lane.policy, maxTexts } : lane.policy;
      const turns = inTurn(texts.tenants.values(), nearBatches * lane.policy.maxTokens);
      const [first] = turns;
      const batch = decideBatch(turns, policy);
      if (batch === null || first === undefined) return;
      this.#passes = Math.max(0, this.#passes - batch.take.length);
      this.#fair.beginTurn(first.claim.turn);
      void this.#batches.run(lane, batch, turns, sending);
    }
  }

  /** Drops requests that would be late in any case: computing them would make others late as well. */
  #dropLate(): void {
    const now = this.#nowMs();
    // A request that has the model to itself after a while is always tried: the measured speed is old.
    if (this.#requests.size < 2 && this.#speed.isStale(now)) return;
    for (const request of this.#requests) {
      const { deadlineMs, claim, unanswered, sentTexts } = request;
      if (deadlineMs === Number.POSITIVE_INFINITY || claim.unsent === 0) continue;
      const needMs = (this.#speed.msFor(claim.unsent) ?? 0) * hopefulShare;
      if (now + needMs <= deadlineMs || unanswered.size === 0) continue;
      const queueMs = this.#speed.msFor(this.#texts.waitingTokens) ?? 0;
      const retryAfterS = Math.min(maxRetryAfterS, Math.max(1, Math.ceil(queueMs / 1000)));
      const code = sentTexts === 0 ? "TOO_MANY_REQUESTS" : "DEADLINE_EXCEEDED";
      this.#texts.abandon(request, new ServiceError(code, "it can no longer be computed in time", { retryAfterS }));
      this.#close(request);
    }
  }

  /** True when the tenant whose turn it is has had less than its share because another floods the queue. */
  #isOwed(): boolean {
    const { tenants } = this.#texts;
    if (tenants.size < 2) return false;
    const turn = nextTurn(tenants.values());
    return turn !== undefined && this.#fair.isOwed(turn, minOwedCost);
  }

  async #passGate(gate: ComputeGate, texts: number): Promise<void> {
    const askedMs = this.#nowMs();
    this.#speed.startHold(askedMs);
    this.#atGate = true;
    try {
      await gate.enter(texts);
      this.#passes += texts;
    } catch (error) {
      for (const request of [...this.#requests]) this.#texts.abandon(request, error);
    } finally {
      this.#atGate = false;
      this.#speed.endHold(this.#nowMs() - askedMs);
    }
    this.#sendAll();
  }
}
