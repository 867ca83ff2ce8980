/** A tenant's part of a queue. */
export interface TenantTurn {
  readonly tenant: string;
  readonly weight: number;
  /** Work done for it, divided by its weight: of the tenants that wait, the one with least is served next. */
  served: number;
  /** Virtual time among its own requests. */
  now: number;
  /** Its requests that are not answered. */
  readonly claims: Set<Claim>;
}

/** A request's claim on the model. */
export interface Claim {
  readonly turn: TenantTurn;
  /** Virtual time at which it came. */
  readonly start: number;
  /** Virtual time at which its last batch's turn would come, were all its tenant's requests served at equal shares; the lowest goes first. */
  finish: number;
  /** Tokens of the whole request, as far as they are known. */
  size: number;
  /** Tokens that were not handed to the model yet, those included that have not entered the queue. */
  unsent: number;
}

/**
 * The order of a queue: first between tenants, then between the requests of one.
 *
 * Tenants share by weighted fair queueing (start-time fair queueing, Goyal, Vin, Cheng 1996). One that asked for less than its share is
 * owed a little (`credit`), so that its next request needn't queue behind one who floods.
 *
 * Requests of a tenant are served one after another, in the order in which they would be done were all served at once ("fair sojourn",
 * Friedman and Henderson 2003). None is done later than with equal shares, a single text passes a request of a thousand, and eighty
 * large requests are answered one by one instead of all being late together. Requests no larger than a batch go first come first served:
 * among them a long text would else wait for every short one.
 */
export interface FairQueue {
  /** @param credit what a tenant that was idle may be owed, in work divided by weight */
  open(tenant: string, tokens: number, credit: number): Claim;
  /** More or fewer tokens than was thought at first. */
  correct(claim: Claim, tokens: number): void;
  close(claim: Claim): void;
  /** Work was handed out for a tenant. */
  charge(turn: TenantTurn, cost: number): void;
  /** Something of the tenant's waits again; what it left unused for longer is not owed to it. */
  resume(turn: TenantTurn, credit: number): void;
  /** Notes that the tenant has its turn now. */
  lead(turn: TenantTurn): void;
  /** Says whether so much more was done for another tenant that the given one has a right to be served at once. */
  isOwed(turn: TenantTurn, cost: number): boolean;
  /** Tokens that would be computed before a new request's last one, its own left out. */
  ahead(tenant: string, tokens: number, credit: number): number;
  /** Weights of the tenants with requests that are not answered, the given one among them. */
  activeWeight(tenant: string): number;
}

/** Contents of a batch. */
export const smallTokens = 256;

/** Virtual time between a request's arrival and its turn. */
export function turnAfter(tokens: number): number {
  return Math.max(0, tokens - smallTokens);
}

/** @param weightOf a tenant's weight, above 0 */
export function createFairQueue(weightOf: (tenant: string) => number): FairQueue {
  /** Tenants are those of the configuration, so there are never many. */
  const turns = new Map<string, TenantTurn>();
  /** Virtual time between tenants: the most that was done for one that had its turn. */
  let now = 0;

  const startOf = (turn: TenantTurn, credit: number) =>
    turn.claims.size > 0 ? turn.served : Math.max(turn.served, now - credit);

  const turnOf = (tenant: string): TenantTurn => {
    const known = turns.get(tenant);
    if (known !== undefined) return known;
    const turn: TenantTurn = { tenant, weight: weightOf(tenant), served: 0, now: 0, claims: new Set() };
    turns.set(tenant, turn);
    return turn;
  };

  return {
    open(tenant, tokens, credit) {
      const turn = turnOf(tenant);
      turn.served = startOf(turn, credit);
      const start = turn.now;
      const claim: Claim = { turn, start, finish: start + turnAfter(tokens), size: tokens, unsent: tokens };
      turn.claims.add(claim);
      return claim;
    },
    correct(claim, tokens) {
      claim.size += tokens;
      claim.finish = claim.start + turnAfter(claim.size);
      claim.unsent = Math.max(0, claim.unsent + tokens);
    },
    close(claim) {
      claim.turn.claims.delete(claim);
    },
    resume(turn, credit) {
      turn.served = Math.max(turn.served, now - credit);
    },
    charge(turn, cost) {
      turn.served += cost / turn.weight;
      turn.now += cost / Math.max(1, turn.claims.size);
    },
    lead(turn) {
      now = Math.max(now, turn.served);
    },
    isOwed: (turn, cost) => turn.served + cost / turn.weight < now,
    ahead(tenant, tokens, credit) {
      const own = turns.get(tenant);
      let ownAhead = 0;
      const finish = (own?.now ?? 0) + turnAfter(tokens);
      for (const claim of own?.claims ?? []) if (claim.finish <= finish) ownAhead += claim.unsent;
      const start = own === undefined ? Math.max(0, now - credit) : startOf(own, credit);
      const until = start + (ownAhead + tokens) / (own?.weight ?? weightOf(tenant));
      let others = 0;
      for (const turn of turns.values()) {
        if (turn === own || turn.claims.size === 0) continue;
        let unsent = 0;
        for (const claim of turn.claims) unsent += claim.unsent;
        others += Math.min(unsent, turn.weight * Math.max(0, until - turn.served));
      }
      return ownAhead + others;
    },
    activeWeight(tenant) {
      let sum = weightOf(tenant);
      for (const turn of turns.values()) if (turn.tenant !== tenant && turn.claims.size > 0) sum += turn.weight;
      return sum;
    },
  };
}
