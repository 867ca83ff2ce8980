import type { GarbageCollection } from "#platform/process/collect-garbage.ts";

/** Something that holds memory of the budget, and gives it back when it is told to. */
export interface BudgetHolder {
  /** Ends it; `bytes` are given back by then. */
  end(): void;
}

interface Holding {
  bytes: number;
  readonly sinceMs: number;
}

/** A client that has taken nothing of an answer for so long makes room for others where room is needed. */
const slowReaderMs = 5_000;
/**
 * Memory of all messages of a server together: those of which a part has come, those that are worked on and answers that wait to be taken.
 * Where it is used up, the answer that has waited longest and the largest incomplete message make room, so that a few slow or half-silent
 * clients can't keep all others out.
 */
export interface MessageBudget {
  /** Bytes of a message that is still coming. False where there is no room for them; nothing more is held then. */
  holdIncoming(holder: BudgetHolder, bytes: number): boolean;
  /** The message is there: from here on its bytes count as work. */
  complete(holder: BudgetHolder): void;
  /** Notes the size of the message now that it is read: more than was received if it was compressed. */
  holdWork(holder: BudgetHolder, bytes: number): boolean;
  /** An answer's bytes, until its client has taken them. */
  holdAnswer(holder: BudgetHolder, bytes: number): boolean;
  release(holder: BudgetHolder): void;
  heldBytes(): number;
}

/** @param garbage is told of messages that never became whole */
export function createMessageBudget(maxBytes: number, nowMs: () => number, garbage: GarbageCollection): MessageBudget {
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

  /** The oldest answer, where it has waited long enough. */
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

  /** @param own what the asker holds itself: nobody smaller makes room for it. */
  const makeRoom = (bytes: number, own: number): boolean => {
    while (held + bytes > maxBytes) {
      const victim = slowReader() ?? largestIncoming(own + bytes);
      if (victim === undefined) return false;
      evict(victim);
    }
    return true;
  };

  return {
    holdIncoming(holder, bytes) {
      const own = incoming.get(holder) ?? 0;
      if (held + bytes > maxBytes && !makeRoom(bytes, own)) return false;
      incoming.set(holder, own + bytes);
      held += bytes;
      return true;
    },
    complete(holder) {
      const bytes = incoming.get(holder);
      if (bytes === undefined) return;
      incoming.delete(holder);
      work.set(holder, bytes);
    },
    holdWork(holder, bytes) {
      const more = bytes - (work.get(holder) ?? 0);
      if (held + more > maxBytes && !makeRoom(more, 0)) return false;
      work.set(holder, bytes);
      held += more;
      return true;
    },
    holdAnswer(holder, bytes) {
      if (held + bytes > maxBytes && !makeRoom(bytes, 0)) return false;
      answers.set(holder, { bytes, sinceMs: nowMs() });
      held += bytes;
      return true;
    },
    release,
    heldBytes: () => held,
  };
}
