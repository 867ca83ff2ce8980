import type { RefusalReason } from "./client-access.ts";

/** Reason for which a connection was ended: the labels of `thormesh_broker_dropped_total`. */
export type DropReason =
  | "too-many"
  | "half-open"
  | "packet"
  | "flood"
  | "slow-reader"
  | "denied-publish"
  | "retained-full";

export interface BrokerCounts {
  /** Rejected clients. */
  readonly refused: ReadonlyMap<RefusalReason, number>;
  readonly dropped: ReadonlyMap<DropReason, number>;
  readonly deniedSubscriptions: number;
  /** Time by which publishers were delayed. */
  readonly slowedMs: number;
  /** Sessions that took the place of a live one of the same agent. */
  readonly takenOver: number;
  readonly connections: number;
  readonly halfOpen: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
}

export function createTally<T extends string>(): { readonly counts: ReadonlyMap<T, number>; add(reason: T): void } {
  const counts = new Map<T, number>();
  return { counts, add: (reason) => void counts.set(reason, (counts.get(reason) ?? 0) + 1) };
}
