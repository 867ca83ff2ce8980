/** Agent from the controller's list or another agent's answer. */
export interface Target {
  readonly agentId: string;
  readonly url: string;
  /** Share of the traffic relative to the others. */
  readonly weight: number;
}

interface Candidate extends Target {
  /** Credit in the smooth weighted round robin. */
  credit: number;
  /** Time until which it gets no requests. */
  restsUntilMs: number;
}

/**
 * Spreads requests over agents in proportion to their weights, evenly over time (nginx's smooth weighted round robin: in each round every agent
 * earns its weight, and the one with the most credit is picked and pays the sum of all weights).
 */
export class Balancer {
  #candidates = new Map<string, Candidate>();

  /** Replaces the list of agents; agents not in it get no more requests. */
  update(targets: readonly Target[]): void {
    const before = this.#candidates;
    this.#candidates = new Map(
      targets.map((target) => {
        const known = before.get(target.agentId);
        const kept = known !== undefined && known.url === target.url;
        return [
          target.agentId,
          {
            ...target,
            weight: Number.isFinite(target.weight) && target.weight > 0 ? target.weight : 1,
            credit: known?.credit ?? 0,
            restsUntilMs: kept ? known.restsUntilMs : 0,
          },
        ];
      }),
    );
  }

  /** Adds serving peers that another agent named, until the next {@link update}. */
  addHeardOf(peers: readonly { readonly agentId: string; readonly url: string }[]): void {
    const weight = Math.min(...[...this.#candidates.values()].map((candidate) => candidate.weight), 1);
    for (const peer of peers) {
      if (this.#candidates.has(peer.agentId)) continue;
      this.#candidates.set(peer.agentId, { ...peer, weight, credit: 0, restsUntilMs: 0 });
    }
  }

  /** Sends no requests to an agent until `untilMs`, because it refused or did not answer. */
  rest(agentId: string, untilMs: number): void {
    const candidate = this.#candidates.get(agentId);
    if (candidate !== undefined) candidate.restsUntilMs = Math.max(candidate.restsUntilMs, untilMs);
  }

  /** Picks the next agent, one of `tried` only if there is no other; null if there is none. */
  pick(nowMs: number, tried: ReadonlySet<string>): Target | null {
    const awake = [...this.#candidates.values()].filter((candidate) => candidate.restsUntilMs <= nowMs);
    const untried = awake.filter((candidate) => !tried.has(candidate.agentId));
    const choice = untried.length > 0 ? untried : awake;
    let best: Candidate | null = null;
    let total = 0;
    for (const candidate of choice) {
      candidate.credit += candidate.weight;
      total += candidate.weight;
      if (best === null || candidate.credit > best.credit) best = candidate;
    }
    if (best !== null) best.credit -= total;
    return best;
  }

  get size(): number {
    return this.#candidates.size;
  }
}
