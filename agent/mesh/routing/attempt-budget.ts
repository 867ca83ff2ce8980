export interface BudgetRules {
  /** Extra attempts that each request earns. */
  readonly share: number;
  /** Extra attempts that a second earns. */
  readonly perS: number;
  /** Attempts that can be saved up; a third of it is there at the start. */
  readonly max: number;
}

/** Second attempts on another backend: a tenth of the requests, and three a second. */
export const retryRules: BudgetRules = { share: 0.1, perS: 3, max: 30 };
/** Attempts beside one that is slow: they are for few requests, or overload grows by itself. */
export const hedgeRules: BudgetRules = { share: 0.03, perS: 0.2, max: 10 };

/** Bounds attempts beyond the first by the requests that came, so that failures do not multiply the load. */
export class AttemptBudget {
  readonly #rules: BudgetRules;
  readonly #nowMs: () => number;
  #saved: number;
  #atMs: number;

  /** @param nowMs monotonic clock */
  constructor(rules: BudgetRules, nowMs: () => number) {
    this.#rules = rules;
    this.#nowMs = nowMs;
    this.#saved = rules.max / 3;
    this.#atMs = nowMs();
  }

  /** Counts a request. */
  earn(): void {
    this.#add(this.#rules.share);
  }

  /** Takes one attempt. Returns false where none is left. */
  take(): boolean {
    const nowMs = this.#nowMs();
    this.#add((this.#rules.perS * Math.max(0, nowMs - this.#atMs)) / 1000);
    this.#atMs = nowMs;
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }

  #add(attempts: number): void {
    this.#saved = Math.min(this.#rules.max, this.#saved + attempts);
  }
}
