import type { Claim, TenantTurn } from "./fair-queue.ts";
import { createRecentWork, type RecentWork } from "./recent-work.ts";
import { createRefusedTexts, type RefusedTexts } from "./refused-texts.ts";

/** A text that waits or is being computed. */
export interface QueuedText<Waiter> {
  readonly key: string;
  readonly ids: Uint32Array;
  readonly tokens: number;
  /** Counts up with every text. */
  readonly arrival: number;
  readonly arrivedMs: number;
  readonly texts: TenantTexts<Waiter>;
  /** Of its requests, the one that is served first. */
  claim: Claim;
  waits: boolean;
  readonly waiters: Set<Waiter>;
}

/**
 * A queue's knowledge of one tenant's texts. Nothing in it is looked up for another tenant: neither a text that is being computed, nor one
 * that was refused, may be told by how soon an answer comes.
 */
export interface TenantTexts<Waiter> {
  /** Waiting and being computed, by the text's tokens. */
  readonly byKey: Map<string, QueuedText<Waiter>>;
  readonly refused: RefusedTexts;
  readonly recentWork: RecentWork;
  waitingTokens: number;
  keyOf(ids: Uint32Array): string;
  add(text: QueuedText<Waiter>): void;
  /** The order of its requests has changed. */
  reorder(): void;
  /** Forgets the places of those that don't wait any more. */
  sweep(): void;
  /** Waiting texts, in the order of its requests. */
  waiting(): readonly QueuedText<Waiter>[];
}

export function createTenantTexts<Waiter>(nowMs: () => number): TenantTexts<Waiter> {
  let waiting: QueuedText<Waiter>[] = [];
  let ordered = true;
  const byKey = new Map<string, QueuedText<Waiter>>();
  return {
    byKey,
    refused: createRefusedTexts(nowMs),
    recentWork: createRecentWork(),
    waitingTokens: 0,
    keyOf: (ids) => Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString("latin1"),
    add(text) {
      byKey.set(text.key, text);
      waiting.push(text);
      this.waitingTokens += text.tokens;
      ordered = false;
    },
    reorder() {
      ordered = false;
    },
    sweep() {
      waiting = waiting.filter((text) => text.waits);
    },
    waiting() {
      if (!ordered) waiting.sort((a, b) => a.claim.finish - b.claim.finish || a.arrival - b.arrival);
      ordered = true;
      return waiting;
    },
  };
}

/** The tenant whose turn it is; undefined where nothing waits. */
export function nextTurn<Waiter>(tenants: Iterable<TenantTexts<Waiter>>): TenantTurn | undefined {
  let next: TenantTurn | undefined;
  for (const tenant of tenants) {
    if (tenant.waitingTokens === 0) continue;
    const turn = tenant.waiting()[0]?.claim.turn;
    if (turn !== undefined && (next === undefined || turn.served < next.served)) next = turn;
  }
  return next;
}

/**
 * The texts that may be computed next, first come first: of the tenant whose turn it is all, of others those whose turn comes soon. A
 * batch that is filled with the texts of a tenant far from its turn would keep the one whose turn it is waiting for them.
 * @param near work divided by weight, from now on
 */
export function inTurn<Waiter>(tenants: Iterable<TenantTexts<Waiter>>, near: number): readonly QueuedText<Waiter>[] {
  const queues: {
    readonly texts: readonly QueuedText<Waiter>[];
    readonly weight: number;
    place: number;
    at: number;
  }[] = [];
  for (const tenant of tenants) {
    if (tenant.waitingTokens === 0) continue;
    const texts = tenant.waiting();
    const [first] = texts;
    if (first === undefined) continue;
    const { served, weight } = first.claim.turn;
    queues.push({ texts, weight, place: 0, at: served });
  }
  queues.sort((a, b) => a.at - b.at);
  const [lead] = queues;
  if (lead === undefined) return [];
  if (queues.length === 1) return lead.texts;
  const horizon = lead.at + near / lead.weight;
  const turns: QueuedText<Waiter>[] = [];
  for (;;) {
    let next: (typeof queues)[number] | undefined;
    for (const queue of queues) {
      if (queue.place < queue.texts.length && queue.at <= horizon && (next === undefined || queue.at < next.at))
        next = queue;
    }
    if (next === undefined) break;
    const text = next.texts[next.place] as QueuedText<Waiter>;
    next.place += 1;
    next.at += text.tokens / next.weight;
    turns.push(text);
  }
  turns.push(...lead.texts.slice(lead.place));
  return turns;
}
