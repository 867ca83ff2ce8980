/** Texts that a model has answered, each as often as it was asked for, and the time that computing them took. */
export interface Work {
  readonly texts: number;
  /** Tokens of the texts themselves. */
  readonly tokens: number;
  /** Of the batches, padding and overhead included. */
  readonly cost: number;
  /** Batches, and what they cost: a text counts once, however often it was asked for. */
  readonly batches: number;
  readonly computedCost: number;
  /** Time that the batches took, each by itself: more than `busyMs` where several were computed at a time. */
  readonly computeMs: number;
  /** Time in which the model worked, or was held back by the board while there was work. */
  readonly busyMs: number;
  /** Of that, the time in which more texts were waiting. */
  readonly waitingMs: number;
  /** Of that, the time of batches that left texts behind: more was waiting than the model can take at a time. */
  readonly leftMs: number;
  /** Time that the board's capacity takes for the texts; 0 where batches are never delayed. */
  readonly boardMs: number;
}

export const noWork: Work = {
  texts: 0,
  tokens: 0,
  cost: 0,
  batches: 0,
  computedCost: 0,
  computeMs: 0,
  busyMs: 0,
  waitingMs: 0,
  leftMs: 0,
  boardMs: 0,
};

const combine = (a: Work, b: Work, sign: 1 | -1): Work => ({
  texts: a.texts + sign * b.texts,
  tokens: a.tokens + sign * b.tokens,
  cost: a.cost + sign * b.cost,
  batches: a.batches + sign * b.batches,
  computedCost: a.computedCost + sign * b.computedCost,
  computeMs: a.computeMs + sign * b.computeMs,
  busyMs: a.busyMs + sign * b.busyMs,
  waitingMs: a.waitingMs + sign * b.waitingMs,
  leftMs: a.leftMs + sign * b.leftMs,
  boardMs: a.boardMs + sign * b.boardMs,
});

export const addWork = (a: Work, b: Work): Work => combine(a, b, 1);

/** Returns the work done between two looks at a growing sum. */
export const workBetween = (before: Work, now: Work): Work => combine(now, before, -1);
