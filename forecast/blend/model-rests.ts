import { decideRest } from "./decide-rest.ts";

interface Named {
  readonly name: string;
}

/** Lets models rest that have no share in any forecast: they cost time and bring nothing. */
export class ModelRests {
  /** Time at which each model last had a share, or began a trial. */
  readonly #sinceMs = new Map<string, number>();

  /** Returns the models that work at a time. */
  working<Model extends Named>(models: readonly Model[], nowMs: number): Model[] {
    return models.filter(({ name }) => {
      const sinceMs = this.#sinceMs.get(name);
      const decision = sinceMs === undefined ? "work" : decideRest(sinceMs, nowMs);
      if (decision === "try") this.#sinceMs.set(name, nowMs);
      return decision !== "rest";
    });
  }

  /** Records the models that made a forecast, and those with a share in it. A model's first forecast begins its trial. */
  observe(made: Iterable<string>, shared: Iterable<string>, nowMs: number): void {
    for (const name of made) if (!this.#sinceMs.has(name)) this.#sinceMs.set(name, nowMs);
    for (const name of shared) this.#sinceMs.set(name, nowMs);
  }
}
