/** Memory of one large body while it is read and parsed. */
export interface BodySlot {
  /** Notes that bytes have arrived: only a stalled sender can be cut off. */
  progressed(): void;
  /** Notes that the whole body has arrived: the rest of the time is ours. */
  complete(): void;
  /** Frees the memory for the next body; further calls do nothing. */
  release(): void;
  /** Aborts when the sender has stalled while others wait for memory. */
  readonly cut: AbortSignal;
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
/** Limit of waiting requests: Bun receives the first megabyte of a body even if it is not read (1.3 MB a connection, measured on Bun 1.4.5). */
const maxWaiters = 32;
const maxWaitMs = 10_000;
const stalledMs = 2_000;
const checkPeriodMs = 500;
/** Bytes of released bodies after which garbage is collected: JavaScript's own collections come too late for bodies of megabytes. */
const collectAfterBytes = 16 * 1024 * 1024;

/** Limits the memory of large bodies while they are read and parsed; requests that find none wait with their body unread. */
export class BodyMemory {
  readonly maxBytes: number;
  readonly #nowMs: () => number;
  readonly #holders = new Set<Holder>();
  readonly #waiters = new Set<Waiter>();
  #uncollectedBytes = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param nowMs monotonic clock */
  constructor(maxBytes: number, nowMs: () => number = () => performance.now()) {
    this.maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  /**
   * Waits for memory.
   * @param bytes maximum size of the body
   * @param owner tenant, or "" for requests without one; an owner never has more than half of the memory, except for a single body
   * @returns null when too many requests wait already, or no memory became free in time
   */
  enter(bytes: number, owner: string): Promise<BodySlot | null> {
    const wanted = Math.min(bytes, this.maxBytes);
    if (this.#fits(wanted, owner)) return Promise.resolve(this.#occupy(wanted, owner));
    if (this.#waiters.size >= maxWaiters) return Promise.resolve(null);
    this.#timer ??= setInterval(() => this.#cutStalled(), checkPeriodMs);
    return new Promise((resolve) => {
      const overdue = setTimeout(() => waiter.admit(null), maxWaitMs);
      const waiter: Waiter = {
        bytes: wanted,
        owner,
        admit: (slot) => {
          clearTimeout(overdue);
          this.#waiters.delete(waiter);
          resolve(slot);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  #fits(bytes: number, owner: string): boolean {
    let used = 0;
    let owned = 0;
    for (const holder of this.#holders) {
      used += holder.bytes;
      if (holder.owner === owner) owned += holder.bytes;
    }
    // A body larger than an owner's share is read if it is the owner's only one.
    return used + bytes <= this.maxBytes && (owned === 0 || owned + bytes <= this.maxBytes * ownerShare);
  }

  #occupy(bytes: number, owner: string): BodySlot {
    const holder: Holder = { bytes, owner, lastBytesMs: this.#nowMs(), complete: false, abort: new AbortController() };
    this.#holders.add(holder);
    return {
      progressed: () => {
        holder.lastBytesMs = this.#nowMs();
      },
      complete: () => {
        holder.complete = true;
      },
      release: () => this.#release(holder),
      cut: holder.abort.signal,
    };
  }

  #release(holder: Holder): void {
    if (!this.#holders.delete(holder)) return;
    this.#uncollectedBytes += holder.bytes;
    if (this.#uncollectedBytes >= collectAfterBytes) {
      this.#uncollectedBytes = 0;
      Bun.gc(true);
    }
    this.#admitWaiting();
  }

  #admitWaiting(): void {
    for (const waiter of this.#waiters)
      if (this.#fits(waiter.bytes, waiter.owner)) waiter.admit(this.#occupy(waiter.bytes, waiter.owner));
    if (this.#waiters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #cutStalled(): void {
    for (const { complete, lastBytesMs, abort } of this.#holders) {
      if (!complete && this.#nowMs() - lastBytesMs >= stalledMs) abort.abort();
    }
  }
}
