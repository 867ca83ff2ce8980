/** Estimated memory of an entry besides its text: its places in the maps. */
const overheadBytes = 200;

interface Written {
  readonly form: string;
  readonly text: string;
}

/**
 * Vectors as they were written for answers: one that is asked for again, unchanged from the cache, is written once. Holds the vectors, so it is
 * bounded. What was not asked for since a half of the space was filled makes way.
 */
export class WrittenVectors {
  readonly #maxBytes: number;
  #recent = new Map<Float32Array, Written>();
  #older = new Map<Float32Array, Written>();
  #recentBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Returns a vector as it is written in a form.
   * @param vector one that is never changed: it is known by its identity
   */
  get(vector: Float32Array, form: string, write: (vector: Float32Array) => string): string {
    const known = this.#recent.get(vector) ?? this.#older.get(vector);
    if (known?.form === form) {
      if (!this.#recent.has(vector)) this.#keep(vector, known);
      return known.text;
    }
    const text = write(vector);
    this.#keep(vector, { form, text });
    return text;
  }

  #keep(vector: Float32Array, written: Written): void {
    this.#recent.set(vector, written);
    this.#recentBytes += written.text.length + vector.byteLength + overheadBytes;
    if (this.#recentBytes < this.#maxBytes / 2) return;
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#recentBytes = 0;
  }
}
