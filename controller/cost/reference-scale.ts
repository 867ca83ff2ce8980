interface Sums {
  measuredKwh: number;
  modelledKwh: number;
}

const ratioOf = ({ measuredKwh, modelledKwh }: Sums) => (modelledKwh > 0 ? measuredKwh / modelledKwh : null);

/**
 * Makes a modelled reference comparable with measured energy: profiles say less or more than a board draws, and a fleet in which nothing was
 * changed must not seem to save or waste. A reference is scaled by measured ÷ modelled energy of the same agent's minutes of service.
 */
export class ReferenceScale {
  readonly #agents = new Map<string, Sums>();
  readonly #all: Sums = { measuredKwh: 0, modelledKwh: 0 };

  /** Adds a minute in which the agent was to serve: its measured energy, and that of the mode it was in by its profile. */
  add(agentId: string, measuredKwh: number, modelledKwh: number): void {
    const own = this.#agents.get(agentId) ?? { measuredKwh: 0, modelledKwh: 0 };
    this.#agents.set(agentId, own);
    for (const sums of [own, this.#all]) {
      sums.measuredKwh += measuredKwh;
      sums.modelledKwh += modelledKwh;
    }
  }

  /** Returns the factor for an agent's reference: its own, else that of all agents, else 1. */
  of(agentId: string): number {
    const own = this.#agents.get(agentId);
    return (own === undefined ? null : ratioOf(own)) ?? ratioOf(this.#all) ?? 1;
  }
}
