/** A place for one large body while it is read and parsed. */
export interface BodySlot {
  /** Notes that bytes have come: who waits may cut off only a sender that has stalled. */
  progressed(): void;
  /** All of it has come: from here on it is not the sender who takes time. */
  complete(): void;
  /** Gives the place to the next one; further calls do nothing. */
  release(): void;
  /** Aborts when the sender has stalled and others wait for the place. */
  readonly cut: AbortSignal;
}

/** Bounds the memory that large bodies take while they are read and parsed; who comes when there is none waits, its body unread. */
export interface BodyRoom {
  /**
   * @param bytes that the body may have
   * @param owner for whom: one owner never has more than half of the room
   * @returns null when too many wait already, or none became free in time
   */
  enter(bytes: number, owner: string): Promise<BodySlot | null>;
  readonly maxBytes: number;
}

interface Holder {
  readonly bytes: number;
  readonly owner: string;
  lastBytesMs: number;
  complete: boolean;
  readonly abort: AbortController;
}

interface Waiter {
  readonly bytes: number;
  readonly owner: string;
  admit(slot: BodySlot | null): void;
}

const ownerShare = 0.5;
/** The first megabyte of a body is received whether it is read or not (measured on Bun 1.4.5: 1.3 MB a connection). */
const maxWaiters = 32;
const maxWaitMs = 10_000;
const stalledMs = 2_000;
const lookMs = 500;

/** JavaScript's collector does not see soon enough that bodies and what was made of them are gone: it is told after so many bytes. */
const collectAfterBytes = 16 * 1024 * 1024;

/** @param nowMs of a clock that only goes forward */
export function createBodyRoom(maxBytes: number, nowMs: () => number = () => performance.now()): BodyRoom {
  let uncollectedBytes = 0;
  const holders = new Set<Holder>();
  const waiters = new Set<Waiter>();
  let timer: ReturnType<typeof setInterval> | undefined;

  const sum = (owner?: string) =>
    [...holders].reduce(
      (total, holder) => total + (owner === undefined || holder.owner === owner ? holder.bytes : 0),
      0,
    );

  const fits = (bytes: number, owner: string) => {
    const owned = sum(owner);
    // One body larger than an owner's share is read alone.
    return sum() + bytes <= maxBytes && (owned === 0 || owned + bytes <= maxBytes * ownerShare);
  };

  const admitWaiting = () => {
    for (const waiter of waiters)
      if (fits(waiter.bytes, waiter.owner)) waiter.admit(occupy(waiter.bytes, waiter.owner));
    if (waiters.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const occupy = (bytes: number, owner: string): BodySlot => {
    const holder: Holder = { bytes, owner, lastBytesMs: nowMs(), complete: false, abort: new AbortController() };
    holders.add(holder);
    return {
      progressed() {
        holder.lastBytesMs = nowMs();
      },
      complete() {
        holder.complete = true;
      },
      release() {
        if (!holders.delete(holder)) return;
        uncollectedBytes += holder.bytes;
        if (uncollectedBytes >= collectAfterBytes) {
          uncollectedBytes = 0;
          Bun.gc(true);
        }
        admitWaiting();
      },
      cut: holder.abort.signal,
    };
  };

  const cutStalled = () => {
    for (const holder of holders) {
      if (!holder.complete && nowMs() - holder.lastBytesMs >= stalledMs) holder.abort.abort();
    }
  };

  return {
    maxBytes,
    enter(bytes, owner) {
      const wanted = Math.min(bytes, maxBytes);
      if (waiters.size === 0 && fits(wanted, owner)) return Promise.resolve(occupy(wanted, owner));
      if (waiters.size >= maxWaiters) return Promise.resolve(null);
      timer ??= setInterval(cutStalled, lookMs);
      return new Promise((resolve) => {
        const overdue = setTimeout(() => waiter.admit(null), maxWaitMs);
        const waiter: Waiter = {
          bytes: wanted,
          owner,
          admit(slot) {
            clearTimeout(overdue);
            waiters.delete(waiter);
            resolve(slot);
          },
        };
        waiters.add(waiter);
        admitWaiting();
      });
    },
  };
}
