import type { GarbageCollection } from "#platform/process/collect-garbage.ts";

export interface BudgetHolder {
  /** Ends the call; its memory has been released by then. */
  end(): void;
}

interface Holding {
  bytes: number;
  readonly sinceMs: number;
}

/** A client that has not read its answer for this long is evicted when memory is short. */
const slowReaderMs = 5_000;

/**
 * Memory of all messages of a server: incomplete ones, those being processed, and answers that are not read yet. When it is used up, the answer
 * that has waited longest and the largest incomplete message are evicted, so that a few slow clients can't keep all others out.
 */
export type MessageBudget = ReturnType<typeof createMessageBudget>;

/** @param garbage is told of messages that were never completed */
export function createMessageBudget(maxBytes: number, nowMs: () => number, garbage: GarbageCollection) {
  const incoming = new Map<BudgetHolder, number>();
  const work = new Map<BudgetHolder, number>();
  const answers = new Map<BudgetHolder, Holding>();
  let held = 0;

  const release = (holder: BudgetHolder) => {
    const incomplete = incoming.get(holder) ?? 0;
    if (incomplete > 0) garbage.note(incomplete);
    held -= incomplete + (work.get(holder) ?? 0) + (answers.get(holder)?.bytes ?? 0);
    incoming.delete(holder);
    work.delete(holder);
    answers.delete(holder);
  };

  const evict = (holder: BudgetHolder) => {
    release(holder);
    holder.end();
  };

  /** Call of the oldest answer, if its client is slow. */
  const slowReader = (): BudgetHolder | undefined => {
    const oldest = answers.entries().next().value;
    return oldest !== undefined && nowMs() - oldest[1].sinceMs > slowReaderMs ? oldest[0] : undefined;
  };

  const largestIncoming = (moreThan: number): BudgetHolder | undefined => {
    let largest: BudgetHolder | undefined;
    let most = moreThan;
    for (const [holder, bytes] of incoming) {
      if (bytes <= most) continue;
      most = bytes;
      largest = holder;
    }
    return largest;
  };

  /** Evicts calls until there is memory for more bytes. @param own bytes that the caller holds: smaller messages are not evicted for it */
  const evictFor = (bytes: number, own: number): boolean => {
    while (held + bytes > maxBytes) {
      const victim = slowReader() ?? largestIncoming(own + bytes);
      if (victim === undefined) return false;
      evict(victim);
    }
    return true;
  };

  return {
    /** Adds bytes of a message that is being received. False where there is no memory for them; they are not held then. */
    holdIncoming(holder: BudgetHolder, bytes: number): boolean {
      const own = incoming.get(holder) ?? 0;
      if (held + bytes > maxBytes && !evictFor(bytes, own)) return false;
      incoming.set(holder, own + bytes);
      held += bytes;
      return true;
    },
    /** Notes that the message is complete; from now on it can't be evicted. */
    complete(holder: BudgetHolder) {
      const bytes = incoming.get(holder);
      if (bytes === undefined) return;
      incoming.delete(holder);
      work.set(holder, bytes);
    },
    /** Sets the size of a complete message: larger than what was received if it was compressed. */
    holdWork(holder: BudgetHolder, bytes: number): boolean {
      const more = bytes - (work.get(holder) ?? 0);
      if (held + more > maxBytes && !evictFor(more, 0)) return false;
      work.set(holder, bytes);
      held += more;
      return true;
    },
    /** Adds an answer, until its client has read it. */
    holdAnswer(holder: BudgetHolder, bytes: number): boolean {
      if (held + bytes > maxBytes && !evictFor(bytes, 0)) return false;
      answers.set(holder, { bytes, sinceMs: nowMs() });
      held += bytes;
      return true;
    },
    release,
    heldBytes: (): number => held,
  };
}
