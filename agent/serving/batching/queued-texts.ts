import { type OpenRequest, type QueuedText, type QueuedVector, TenantTexts, type Waiter } from "./tenant-texts.ts";

/** Texts of all tenants that wait or are being computed, and the requests that wait for them. */
export class QueuedTexts {
  readonly #nowMs: () => number;
  readonly #tenants = new Map<string, TenantTexts>();
  #waitingTexts = 0;
  #waitingTokens = 0;
  #outstandingTexts = 0;
  #arrivals = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get waitingTexts(): number {
    return this.#waitingTexts;
  }

  get waitingTokens(): number {
    return this.#waitingTokens;
  }

  /** Number of texts that wait or are being computed. */
  get outstandingTexts(): number {
    return this.#outstandingTexts;
  }

  /** Every tenant that ever had a text: bounded by the configuration. */
  get tenants(): ReadonlyMap<string, TenantTexts> {
    return this.#tenants;
  }

  ofTenant(tenant: string): TenantTexts {
    let texts = this.#tenants.get(tenant);
    if (texts === undefined) {
      texts = new TenantTexts(this.#nowMs);
      this.#tenants.set(tenant, texts);
    }
    return texts;
  }

  /** Queues one text of a request. A text that its tenant is waiting for already is not queued twice. */
  enter(ids: Uint32Array, request: OpenRequest): Promise<QueuedVector> {
    const { promise, resolve, reject } = Promise.withResolvers<QueuedVector>();
    const { texts, claim } = request;
    const key = texts.keyOf(ids);
    const refusal = texts.refused.reason(key);
    if (refusal !== undefined) return Promise.reject(refusal);
    const tokens = ids.length;
    let entry = texts.byKey.get(key);
    if (entry === undefined) {
      this.#arrivals += 1;
      entry = {
        key,
        ids,
        tokens,
        arrival: this.#arrivals,
        arrivedMs: this.#nowMs(),
        waits: true,
        claim,
        texts,
        waiters: new Set(),
      };
      texts.add(entry);
      this.#waitingTokens += tokens;
      this.#waitingTexts += 1;
      this.#outstandingTexts += 1;
    } else {
      // What is being computed already costs this request nothing more.
      if (!entry.waits) claim.unsent = Math.max(0, claim.unsent - tokens);
      else if (claim.finish < entry.claim.finish) entry.claim = claim;
    }
    const waiter: Waiter = { request, resolve, reject };
    entry.waiters.add(waiter);
    request.unanswered.set(waiter, entry);
    return promise;
  }

  markSent(entries: readonly QueuedText[]): void {
    for (const entry of entries) {
      entry.waits = false;
      entry.texts.waitingTokens -= entry.tokens;
      this.#waitingTokens -= entry.tokens;
      for (const { request } of entry.waiters) {
        request.sentTexts += 1;
        request.claim.unsent = Math.max(0, request.claim.unsent - entry.tokens);
      }
    }
    this.#waitingTexts -= entries.length;
    for (const texts of new Set(entries.map((entry) => entry.texts))) texts.sweep();
  }

  /** Removes a sent text and settles its waiters, the first of which is charged for it. */
  finish(entry: QueuedText, settle: (waiter: Waiter, first: boolean) => void): void {
    entry.texts.byKey.delete(entry.key);
    this.#outstandingTexts -= 1;
    let first = true;
    for (const waiter of entry.waiters) {
      waiter.request.unanswered.delete(waiter);
      settle(waiter, first);
      first = false;
    }
  }

  /** Rejects everything that a request waits for; texts that no other request waits for are not computed. */
  abandon(request: OpenRequest, reason: unknown): void {
    for (const [waiter, entry] of [...request.unanswered]) {
      this.#leave(waiter, entry);
      request.unanswered.delete(waiter);
      waiter.reject(reason);
    }
    request.texts.sweep();
  }

  #leave(waiter: Waiter, entry: QueuedText): void {
    entry.waiters.delete(waiter);
    if (entry.waiters.size > 0 || !entry.waits) return;
    entry.waits = false;
    entry.texts.waitingTokens -= entry.tokens;
    entry.texts.byKey.delete(entry.key);
    this.#waitingTokens -= entry.tokens;
    this.#waitingTexts -= 1;
    this.#outstandingTexts -= 1;
  }
}
