/** Texts that a model has answered, each as often as it was asked for, and the time that computing them took. */
export interface Work {
  readonly texts: number;
  /** Tokens of the texts themselves. */
  readonly tokens: number;
  /** Of the batches, padding and overhead included. */
  readonly cost: number;
  /** Time in which the model worked, or was held back by the board while there was work. */
  readonly busyMs: number;
  /** Of that, the time in which more texts were waiting. */
  readonly waitingMs: number;
  /** Time that the board's capacity takes for the texts; 0 where batches are never delayed. */
  readonly boardMs: number;
}

export const noWork: Work = { texts: 0, tokens: 0, cost: 0, busyMs: 0, waitingMs: 0, boardMs: 0 };

const combine = (a: Work, b: Work, sign: 1 | -1): Work => ({
  texts: a.texts + sign * b.texts,
  tokens: a.tokens + sign * b.tokens,
  cost: a.cost + sign * b.cost,
  busyMs: a.busyMs + sign * b.busyMs,
  waitingMs: a.waitingMs + sign * b.waitingMs,
  boardMs: a.boardMs + sign * b.boardMs,
});

export const addWork = (a: Work, b: Work): Work => combine(a, b, 1);

/** Returns the work done between two looks at a growing sum. */
export const workBetween = (before: Work, now: Work): Work => combine(now, before, -1);
