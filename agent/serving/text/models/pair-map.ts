const none = -1;
const minSlots = 16;

/** A map from two whole numbers to one, all at least 0, in 12 to 24 bytes an entry: vocabularies have up to a million of them. */
export class PairMap {
  #mask = minSlots - 1;
  #size = 0;
  #first = new Uint32Array(minSlots);
  #second = new Uint32Array(minSlots);
  #values = new Int32Array(minSlots).fill(none);

  /** Returns the value; -1 for none. */
  get(first: number, second: number): number {
    return this.#values[this.#slot(first, second)] as number;
  }

  set(first: number, second: number, value: number): void {
    const slot = this.#slot(first, second);
    if (this.#values[slot] === none) this.#size += 1;
    this.#first[slot] = first;
    this.#second[slot] = second;
    this.#values[slot] = value;
    if (this.#size * 2 > this.#mask) this.#grow();
  }

  #slot(first: number, second: number): number {
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    while (this.#values[slot] !== none && (this.#first[slot] !== first || this.#second[slot] !== second))
      slot = (slot + 1) & this.#mask;
    return slot;
  }

  #grow(): void {
    const [firsts, seconds, values] = [this.#first, this.#second, this.#values];
    const slots = values.length * 2;
    this.#mask = slots - 1;
    this.#first = new Uint32Array(slots);
    this.#second = new Uint32Array(slots);
    this.#values = new Int32Array(slots).fill(none);
    for (const [i, value] of values.entries()) {
      if (value === none) continue;
      const slot = this.#slot(firsts[i] as number, seconds[i] as number);
      this.#first[slot] = firsts[i] as number;
      this.#second[slot] = seconds[i] as number;
      this.#values[slot] = value;
    }
  }
}
