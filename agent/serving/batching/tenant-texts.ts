import type { Claim, TenantTurn } from "./fair-queue.ts";
import { createRecentWork, type RecentWork } from "./recent-work.ts";
import { RefusedTexts } from "./refused-texts.ts";

export interface QueuedVector {
  /** Shared by requests of the same tenant for the same text: not to be changed. Not normalised. */
  readonly vector: Float32Array;
  /** The text's share of its batch's inference time; 0 for requests that share another's computation. */
  readonly computeMs: number;
  /** Time from its arrival in the queue until its batch was sent. */
  readonly waitMs: number;
}

/** A request, or one part of a large one, that waits for a text. */
export interface Waiter {
  readonly request: OpenRequest;
  resolve(result: QueuedVector): void;
  reject(error: unknown): void;
}

/** A request from its arrival in the queue until it is closed. */
export interface OpenRequest {
  readonly claim: Claim;
  readonly texts: TenantTexts;
  readonly deadlineMs: number;
  readonly unanswered: Map<Waiter, QueuedText>;
  sentTexts: number;
  /** Announced texts and tokens that have not entered the queue yet. */
  textsToCome: number;
  tokensToCome: number;
}

export interface QueuedText {
  readonly key: string;
  readonly ids: Uint32Array;
  readonly tokens: number;
  /** Sequence number of its arrival. */
  readonly arrival: number;
  readonly arrivedMs: number;
  readonly texts: TenantTexts;
  /** The claim of the request that is served first, of those that wait for it. */
  claim: Claim;
  waits: boolean;
  readonly waiters: Set<Waiter>;
}

/**
 * One tenant's texts in a queue. Nothing here is looked up for another tenant, so that response times reveal neither what others compute nor
 * what they were refused.
 */
export class TenantTexts {
  /** Waiting and being computed, by {@link TenantTexts.keyOf}. */
  readonly byKey = new Map<string, QueuedText>();
  readonly refused: RefusedTexts;
  readonly recentWork: RecentWork = createRecentWork();
  waitingTokens = 0;
  #waiting: QueuedText[] = [];
  #ordered = true;

  constructor(nowMs: () => number) {
    this.refused = new RefusedTexts(nowMs);
  }

  keyOf(ids: Uint32Array): string {
    return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString("latin1");
  }

  add(text: QueuedText): void {
    this.byKey.set(text.key, text);
    this.#waiting.push(text);
    this.waitingTokens += text.tokens;
    this.#ordered = false;
  }

  /** Notes that the order of its requests has changed. */
  reorder(): void {
    this.#ordered = false;
  }

  sweep(): void {
    this.#waiting = this.#waiting.filter((text) => text.waits);
  }

  /** Waiting texts, in the order of its requests. */
  waiting(): readonly QueuedText[] {
    if (!this.#ordered) this.#waiting.sort((a, b) => a.claim.finish - b.claim.finish || a.arrival - b.arrival);
    this.#ordered = true;
    return this.#waiting;
  }
}

/** The tenant whose turn it is; undefined where no text waits. */
export function nextTurn(tenants: Iterable<TenantTexts>): TenantTurn | undefined {
  let next: TenantTurn | undefined;
  for (const tenant of tenants) {
    if (tenant.waitingTokens === 0) continue;
    const turn = tenant.waiting()[0]?.claim.turn;
    if (turn !== undefined && (next === undefined || turn.served < next.served)) next = turn;
  }
  return next;
}

/**
 * Lists the texts that may be computed next, in order: all of the tenant whose turn it is, and those of other tenants whose turn comes soon.
 * Texts of a tenant far from its turn would fill up the batch and keep the first tenant waiting.
 * @param near distance of other tenants' turns, in work divided by weight
 */
export function inTurn(tenants: Iterable<TenantTexts>, near: number): readonly QueuedText[] {
  const queues: { readonly texts: readonly QueuedText[]; readonly weight: number; index: number; at: number }[] = [];
  for (const tenant of tenants) {
    if (tenant.waitingTokens === 0) continue;
    const texts = tenant.waiting();
    const [first] = texts;
    if (first === undefined) continue;
    const { served, weight } = first.claim.turn;
    queues.push({ texts, weight, index: 0, at: served });
  }
  queues.sort((a, b) => a.at - b.at);
  const [lead] = queues;
  if (lead === undefined) return [];
  if (queues.length === 1) return lead.texts;
  const horizon = lead.at + near / lead.weight;
  const turns: QueuedText[] = [];
  for (;;) {
    let next: (typeof queues)[number] | undefined;
    for (const queue of queues) {
      if (queue.index < queue.texts.length && queue.at <= horizon && (next === undefined || queue.at < next.at))
        next = queue;
    }
    if (next === undefined) break;
    const text = next.texts[next.index] as QueuedText;
    next.index += 1;
    next.at += text.tokens / next.weight;
    turns.push(text);
  }
  turns.push(...lead.texts.slice(lead.index));
  return turns;
}
