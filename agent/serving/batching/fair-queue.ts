export interface TenantTurn {
  readonly tenant: string;
  readonly weight: number;
  /** Work done for the tenant, divided by its weight; of the waiting tenants, the one with the least is served next. */
  served: number;
  /** Virtual time among the tenant's own requests. */
  virtualTime: number;
  readonly claims: Set<Claim>;
}

export interface Claim {
  readonly turn: TenantTurn;
  /** Virtual time of its arrival. */
  readonly start: number;
  /** Virtual time at which its last batch would be served if all its tenant's requests had equal shares; the lowest goes first. */
  finish: number;
  /** Tokens of the whole request, as far as they are known. */
  size: number;
  /** Tokens that the model was not given yet, including those that have not entered the queue. */
  unsent: number;
}

/** Tokens of a typical batch. */
const smallTokens = 256;

/** Virtual time between a request's arrival and its turn. */
export function turnAfter(tokens: number): number {
  return Math.max(0, tokens - smallTokens);
}

/**
 * Order of a queue: first between tenants, then between the requests of one.
 *
 * Tenants share by weighted fair queueing (start-time fair queueing, Goyal, Vin, Cheng 1996). A tenant that asked for less than its share is
 * owed a little (`credit`), so that its next request does not wait behind a tenant that floods the queue.
 *
 * Requests of a tenant are served one after another, in the order in which they would finish at equal shares ("fair sojourn", Friedman and
 * Henderson 2003). None finishes later than at equal shares, a single text passes a request of a thousand, and eighty large requests are
 * answered one by one instead of all being late together. Requests no larger than a batch are served in order of arrival: otherwise a long
 * text would wait for every short one.
 */
export class FairQueue {
  readonly #weightOf: (tenant: string) => number;
  /** Bounded: tenants are those of the configuration. */
  readonly #turns = new Map<string, TenantTurn>();
  /** Virtual time between tenants: the most that was done for one that had its turn. */
  #virtualTime = 0;

  /** @param weightOf a tenant's weight, above 0 */
  constructor(weightOf: (tenant: string) => number) {
    this.#weightOf = weightOf;
  }

  /** @param credit maximum that an idle tenant is owed, in work divided by weight */
  open(tenant: string, tokens: number, credit: number): Claim {
    const turn = this.#turnOf(tenant);
    turn.served = this.#startOf(turn, credit);
    const start = turn.virtualTime;
    const claim: Claim = { turn, start, finish: start + turnAfter(tokens), size: tokens, unsent: tokens };
    turn.claims.add(claim);
    return claim;
  }

  /** Adds tokens to a claim, or removes them, once they are known better. */
  correct(claim: Claim, tokens: number): void {
    claim.size += tokens;
    claim.finish = claim.start + turnAfter(claim.size);
    claim.unsent = Math.max(0, claim.unsent + tokens);
  }

  close(claim: Claim): void {
    claim.turn.claims.delete(claim);
  }

  /** Limits what a tenant is owed when one of its texts waits again: what it left unused for longer is lost. */
  resume(turn: TenantTurn, credit: number): void {
    turn.served = Math.max(turn.served, this.#virtualTime - credit);
  }

  charge(turn: TenantTurn, cost: number): void {
    turn.served += cost / turn.weight;
    turn.virtualTime += cost / Math.max(1, turn.claims.size);
  }

  beginTurn(turn: TenantTurn): void {
    this.#virtualTime = Math.max(this.#virtualTime, turn.served);
  }

  /** True when the tenant is more than `cost` behind its share and is entitled to be served at once. */
  isOwed(turn: TenantTurn, cost: number): boolean {
    return turn.served + cost / turn.weight < this.#virtualTime;
  }

  /** Tokens that would be computed before a new request is done, its own not included. */
  tokensAhead(tenant: string, tokens: number, credit: number): number {
    const own = this.#turns.get(tenant);
    let ownAhead = 0;
    const finish = (own?.virtualTime ?? 0) + turnAfter(tokens);
    for (const claim of own?.claims ?? []) if (claim.finish <= finish) ownAhead += claim.unsent;
    const start = own === undefined ? Math.max(0, this.#virtualTime - credit) : this.#startOf(own, credit);
    const until = start + (ownAhead + tokens) / (own?.weight ?? this.#weightOf(tenant));
    let others = 0;
    for (const turn of this.#turns.values()) {
      if (turn === own || turn.claims.size === 0) continue;
      let unsent = 0;
      for (const claim of turn.claims) unsent += claim.unsent;
      others += Math.min(unsent, turn.weight * Math.max(0, until - turn.served));
    }
    return ownAhead + others;
  }

  /** Sum of the weights of the given tenant and all others with unanswered requests. */
  activeWeight(tenant: string): number {
    let sum = this.#weightOf(tenant);
    for (const turn of this.#turns.values()) if (turn.tenant !== tenant && turn.claims.size > 0) sum += turn.weight;
    return sum;
  }

  #startOf(turn: TenantTurn, credit: number): number {
    return turn.claims.size > 0 ? turn.served : Math.max(turn.served, this.#virtualTime - credit);
  }

  #turnOf(tenant: string): TenantTurn {
    let turn = this.#turns.get(tenant);
    if (turn === undefined) {
      turn = { tenant, weight: this.#weightOf(tenant), served: 0, virtualTime: 0, claims: new Set() };
      this.#turns.set(tenant, turn);
    }
    return turn;
  }
}
