/** A process that computes a model's batches, as the line sees it. */
export interface LaneView {
  /** `wide`: all the model's threads work on one batch. `narrow`: one of several that compute a batch each, on one thread. */
  readonly kind: "wide" | "narrow";
  /** It has loaded the model. */
  readonly ready: boolean;
  readonly busy: boolean;
}

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
 * @param longLine whether more than a full batch has been waiting or under way just now
 */
export function decideLane(lanes: readonly LaneView[], longLine: boolean): LaneDecision {
  const wide = lanes.findIndex((lane) => lane.kind === "wide");
  if (lanes[wide]?.busy === true) return { lane: null, reason: "all threads compute one batch" };
  const narrowBusy = lanes.some((lane) => lane.kind === "narrow" && lane.busy);
  const narrowFree = lanes.findIndex((lane) => lane.kind === "narrow" && lane.ready && !lane.busy);
  if (narrowFree >= 0 && (narrowBusy || longLine))
    return { lane: narrowFree, reason: "the line is long: a batch a thread" };
  if (narrowBusy) return { lane: null, reason: "each thread computes a batch" };
  if (wide < 0) return { lane: null, reason: "no lane is there" };
  return { lane: wide, reason: longLine ? "no other lane is ready" : "little waits: all threads for one batch" };
}
