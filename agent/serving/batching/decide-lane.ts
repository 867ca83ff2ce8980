/** A process that computes a model's batches, as the line sees it. */
export interface LaneView {
  /** `wide`: all the model's threads work on one batch. `narrow`: one of several that compute a batch each, on one thread. */
  readonly kind: "wide" | "narrow";
  /** It has loaded the model. */
  readonly ready: boolean;
  /** Batches it has been given and not answered. */
  readonly batches: number;
  /** How many it may be given; the last of several only when it is a full one, for others might join it meanwhile. */
  readonly mostBatches: number;
}

/** A narrow lane is given its next batch while it computes one: then it never waits for the line. */
export const narrowBatches = 2;

export interface LaneDecision {
  /** Which lane takes the next batch; null: none now. */
  readonly lane: number | null;
  readonly reason: string;
}

/**
 * Who computes the next batch. One batch on all threads is answered soonest; but its threads wait for each other and for every core
 * that another process takes for a moment. Measured on two cores, two processes of one thread each compute 16 % more under full load,
 * and a lone text takes them 1 ms longer. So the wide lane serves while little waits, the narrow ones while the line is long, and never
 * both: they would fight for the same cores.
 * Only who is owed time, because others took more than their share, does not wait until a narrow lane has done theirs.
 * @param longLine whether most of a batch has been waiting all the time of late
 * @param fullBatchWaits whether what waits fills a batch
 * @param owed whether what waits first is a tenant's that has had less than its share
 */
export function decideLane(
  lanes: readonly LaneView[],
  longLine: boolean,
  fullBatchWaits: boolean,
  owed = false,
): LaneDecision {
  const hasRoom = ({ batches, mostBatches }: LaneView) => batches === 0 || (fullBatchWaits && batches < mostBatches);
  const wide = lanes.findIndex((lane) => lane.kind === "wide");
  const wideLane = lanes[wide];
  const narrowBusy = lanes.some((lane) => lane.kind === "narrow" && lane.batches > 0);
  if (owed && narrowBusy && wideLane?.batches === 0) {
    return { lane: wide, reason: "a tenant that is owed time does not wait for others' batches" };
  }
  if (wideLane !== undefined && wideLane.batches > 0 && !narrowBusy) {
    return hasRoom(wideLane)
      ? { lane: wide, reason: "a full batch is at hand when this one is done" }
      : { lane: null, reason: "all threads compute one batch" };
  }
  if (narrowBusy || longLine) {
    const free = lanes
      .map((lane, index) => ({ ...lane, index }))
      .filter((lane) => lane.kind === "narrow" && lane.ready && hasRoom(lane))
      .sort((a, b) => a.batches - b.batches)[0];
    if (free !== undefined) return { lane: free.index, reason: "the line is long: a batch a thread" };
  }
  if (narrowBusy) return { lane: null, reason: "each thread has its batches" };
  if (wide < 0) return { lane: null, reason: "no lane is there" };
  return { lane: wide, reason: longLine ? "no other lane is ready" : "little waits: all threads for one batch" };
}

/** Fewer tokens than this would be computed at less than full speed (measured: 8 texts of 16 as fast as 16 of them). */
const leastTokens = 128;

/**
 * How many tokens a narrow lane's batch may have: what there is to do, shared among all that the lanes may be given. A batch that took all
 * that waits would leave nothing for the lane that is free next.
 * @param outstandingTokens waiting and being computed
 * @param maxTokens of any batch
 */
export function decideShare(outstandingTokens: number, narrowLanes: number, maxTokens: number): number {
  const share = Math.ceil(outstandingTokens / (Math.max(1, narrowLanes) * narrowBatches));
  return Math.min(maxTokens, Math.max(leastTokens, share));
}
