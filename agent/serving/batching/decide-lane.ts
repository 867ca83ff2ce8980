export interface LaneView {
  /** `wide`: all the model's threads work on one batch. `narrow`: one of several that compute a batch each, on one thread. */
  readonly kind: "wide" | "narrow";
  readonly ready: boolean;
  /** Batches that it was given and has not answered. */
  readonly batches: number;
  /** Maximum of `batches`. While it has one, it gets another only if that is full: more texts might join it meanwhile. */
  readonly maxBatches: number;
}

/** A narrow lane gets its next batch while it computes one, so that it never idles. */
export const narrowBatches = 2;

/**
 * Reasons for a choice of lane: a tenant below its share goes first, the wide lane gets its next full batch or is busy, the narrow lanes work
 * off a long queue or are all busy, none of them is ready, all threads take a short queue, or there is no lane.
 */
export type LaneRule =
  | "owed-tenant"
  | "full-batch-ahead"
  | "wide-busy"
  | "long-queue"
  | "narrow-busy"
  | "narrow-not-ready"
  | "short-queue"
  | "no-lane";

export interface LaneDecision {
  /** Index of the lane that takes the next batch; null: none now. */
  readonly lane: number | null;
  readonly rule: LaneRule;
}

function canTake({ batches, maxBatches }: LaneView, fullBatchWaits: boolean): boolean {
  return batches === 0 || (fullBatchWaits && batches < maxBatches);
}

/** Index of the least loaded narrow lane that can take a batch; undefined where none can. */
function freeNarrowLane(lanes: readonly LaneView[], fullBatchWaits: boolean): number | undefined {
  let free: number | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const [index, lane] of lanes.entries()) {
    if (lane.kind !== "narrow" || !lane.ready || lane.batches >= fewest || !canTake(lane, fullBatchWaits)) continue;
    fewest = lane.batches;
    free = index;
  }
  return free;
}

/**
 * Decides which process computes the next batch. All threads on one batch answer it soonest, but the threads wait for each other and for cores
 * that other processes use for a moment. Measured on two cores, two processes of one thread each compute 16 % more under full load, and a lone
 * text takes them 1 ms longer. So the wide lane serves a short queue and the narrow lanes a long one, never both at once: they would compete
 * for the same cores. The exception is a tenant that has had less than its share, which does not wait for a narrow lane's batches.
 * @param longQueue most of a batch has been waiting all the time recently
 * @param fullBatchWaits the waiting texts fill a batch
 * @param owed the first waiting text belongs to a tenant that has had less than its share
 */
export function decideLane(
  lanes: readonly LaneView[],
  longQueue: boolean,
  fullBatchWaits: boolean,
  owed = false,
): LaneDecision {
  const wide = lanes.findIndex((lane) => lane.kind === "wide");
  const wideLane = lanes[wide];
  const narrowBusy = lanes.some((lane) => lane.kind === "narrow" && lane.batches > 0);
  if (owed && narrowBusy && wideLane?.batches === 0) return { lane: wide, rule: "owed-tenant" };
  if (wideLane !== undefined && wideLane.batches > 0 && !narrowBusy) {
    return canTake(wideLane, fullBatchWaits)
      ? { lane: wide, rule: "full-batch-ahead" }
      : { lane: null, rule: "wide-busy" };
  }
  if (narrowBusy || longQueue) {
    const free = freeNarrowLane(lanes, fullBatchWaits);
    if (free !== undefined) return { lane: free, rule: "long-queue" };
  }
  if (narrowBusy) return { lane: null, rule: "narrow-busy" };
  if (wide < 0) return { lane: null, rule: "no-lane" };
  return { lane: wide, rule: longQueue ? "narrow-not-ready" : "short-queue" };
}

/** Smaller batches are computed at less than full speed (measured: 8 texts of 16 tokens are as fast as 16 of them). */
const minTokens = 128;

/**
 * Maximum tokens of a narrow lane's batch: its part of all outstanding work, so that one batch does not take everything and leave the other
 * lanes idle.
 * @param outstandingTokens waiting and being computed
 */
export function decideShare(outstandingTokens: number, narrowLanes: number, maxTokens: number): number {
  const share = Math.ceil(outstandingTokens / (Math.max(1, narrowLanes) * narrowBatches));
  return Math.min(maxTokens, Math.max(minTokens, share));
}
