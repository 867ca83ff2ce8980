/** A request's claim on the model: how far into virtual time the texts it has already put in line reach. */
export interface FairShare {
  reachesTo: number;
}

/** A place in the line. */
export interface Ranked {
  /** Virtual time at which the text's turn has come; lower goes first. */
  readonly rank: number;
  /** Counts up with every text; orders texts of one rank by arrival. */
  readonly arrival: number;
}

/**
 * Virtual time as in weighted fair queueing (Demers, Keshav, Shenker 1989): it advances by the work done, divided by the number of
 * requests that share the model. A text's rank is the virtual time at which its request, served at an equal share, would get to it. So
 * one text that arrives behind a thousand of another request goes next, and the thousand still get their share.
 */
export interface FairLine {
  /** The rank of a request's next text. */
  rank(share: FairShare, tokens: number): number;
  /** Virtual time: a request that comes now has this rank. */
  now(): number;
  /** Work was handed out while `requests` had texts in the line. */
  advance(tokens: number, requests: number): void;
}

export function createFairLine(): FairLine {
  let virtualNow = 0;
  return {
    rank(share, tokens) {
      const rank = Math.max(virtualNow, share.reachesTo);
      share.reachesTo = rank + tokens;
      return rank;
    },
    now: () => virtualNow,
    advance(tokens, requests) {
      virtualNow += tokens / Math.max(1, requests);
    },
  };
}

/** For sorting a line. */
export function byTurn(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || a.arrival - b.arrival;
}
