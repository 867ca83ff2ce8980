/** Texts that a model has computed, and the time that this took. */
export interface Work {
  readonly texts: number;
  readonly tokens: number;
  /** Of the batches, padding and overhead included. */
  readonly cost: number;
  /** Time since the previous batch was done, or since there was anything to do. */
  readonly busyMs: number;
  /** Time that the board's capacity takes for the texts; 0 where batches are never delayed. */
  readonly boardMs: number;
}

/** Work since the model was opened. */
export interface WorkDone {
  /** While more texts were waiting: the model's capacity. */
  readonly saturated: Work;
  /** While no text was waiting. */
  readonly partial: Work;
}

export const noWork: Work = { texts: 0, tokens: 0, cost: 0, busyMs: 0, boardMs: 0 };

const combine = (a: Work, b: Work, sign: 1 | -1): Work => ({
  texts: a.texts + sign * b.texts,
  tokens: a.tokens + sign * b.tokens,
  cost: a.cost + sign * b.cost,
  busyMs: a.busyMs + sign * b.busyMs,
  boardMs: a.boardMs + sign * b.boardMs,
});

export const addWork = (a: Work, b: Work): Work => combine(a, b, 1);

/** Returns the work done between two looks at the record. */
export const workBetween = (before: WorkDone, now: WorkDone): WorkDone => ({
  saturated: combine(now.saturated, before.saturated, -1),
  partial: combine(now.partial, before.partial, -1),
});
