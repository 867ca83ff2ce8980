/** Time constant: a burst of half a second counts, one of a tenth hardly does. */
const tauMs = 2_000;

/** Rate of texts in the last seconds, as an exponential average. */
export class RateMeter {
  readonly #nowMs: () => number;
  #texts = 0;
  #atMs: number;

  /** @param nowMs monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  add(texts: number): void {
    this.#decay();
    this.#texts += texts;
  }

  /** Texts per second. */
  perS(): number {
    this.#decay();
    return this.#texts / (tauMs / 1000);
  }

  #decay(): void {
    const nowMs = this.#nowMs();
    if (this.#texts !== 0 && nowMs > this.#atMs) this.#texts *= Math.exp((this.#atMs - nowMs) / tauMs);
    this.#atMs = nowMs;
  }
}
