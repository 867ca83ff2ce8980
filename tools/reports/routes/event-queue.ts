interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const isBefore = (one: Event, other: Event) =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

/** Runs what happens in simulated time, in order; of two at the same time the one that was added first. */
export class EventQueue {
  /** A binary heap. */
  readonly #events: Event[] = [];
  #order = 0;
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Adds something that happens after a delay. */
  after(delayMs: number, run: () => void): void {
    const events = this.#events;
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, run };
    this.#order += 1;
    let place = events.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = events[parent] as Event;
      if (isBefore(above, event)) break;
      events[place] = above;
      place = parent;
    }
    events[place] = event;
  }

  /** Runs until nothing is left. */
  run(): void {
    for (let next = this.#pop(); next !== null; next = this.#pop()) {
      this.#nowMs = next.atMs;
      next.run();
    }
  }

  #pop(): Event | null {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined) return null;
    if (events.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= events.length) break;
      const right = left + 1;
      const lower = right < events.length && isBefore(events[right] as Event, events[left] as Event) ? right : left;
      const below = events[lower] as Event;
      if (isBefore(last, below)) break;
      events[place] = below;
      place = lower;
    }
    events[place] = last;
    return first;
  }
}
