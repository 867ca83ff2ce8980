import { usualCostPerToken } from "#agent/serving/batching/decide-batch.ts";
import type { Work } from "#agent/serving/batching/work-record.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";

/** Speed that a device reaches with one model in one power mode. */
export interface SpeedEstimate {
  readonly tokensPerS: number;
  /** Mean length of the texts that were computed of late. */
  readonly tokensPerText: number;
  readonly source: CapacityEstimate["source"];
  /** Time of computation that the estimate rests on. */
  readonly evidenceMs: number;
}

/** What a model did in a stretch of time, which the board spent in one mode. */
export interface SeenWork extends Work {
  readonly windowMs: number;
  /** Requests were refused for want of capacity, and others were in progress all the time. */
  readonly overloaded: boolean;
}

export type CapacityRule =
  /** Texts waited nearly all the time in which the model computed: what it did is its capacity. */
  | "saturated"
  /** Requests were refused although few texts waited for the model: the limit is elsewhere (tokenizing, the server), and what was served is the capacity. */
  | "overloaded"
  /** More was served than was thought possible. */
  | "exceeded"
  /** No text waited: the speed of the batches is a hint. */
  | "served"
  /** Too little was computed to say anything. */
  | "idle";

export interface CapacityDecision {
  readonly rule: CapacityRule;
  /** Tokens a second of this stretch; null: not measured. */
  readonly measuredTokensPerS: number | null;
  readonly estimate: SpeedEstimate | null;
}

/** Shortest computation that is a measure. */
const minSaturatedMs = 400;
const minServedMs = 100;
/** Share of the computing time with waiting texts from which on the model was saturated. */
const saturatedShare = 0.75;
/** A saturated model whose speed or texts differ by more than this factor has changed: the old estimate is of no more use. */
const changedFactor = 1.5;
/** Minimum weight of one more stretch that agrees with the estimate; the first ones count by their length. */
const minAgreeingWeight = 0.25;
/** Computation under partial load after which an estimate has moved half of the way: a hint, and a capacity that was once measured. */
const hintHalfMs = 20_000;
const measuredHalfMs = 10 * minuteMs;
/** Evidence counts half after this time. */
const evidenceHalfMs = 12 * hourMs;
/** Texts after which the mean length has moved half of the way. */
const halfLengthTexts = 100;

/** Confidence without and with much evidence, and the evidence that makes half of the difference. */
const confidences: Readonly<Record<SpeedEstimate["source"], readonly [number, number, number]>> = {
  profile: [0.1, 0.1, 1],
  probe: [0.3, 0.3, 1],
  served: [0.3, 0.5, 20_000],
  calibrated: [0.8, 0.8, 1],
  saturated: [0.6, 1, 4_000],
};

/** Returns how far an estimate can be relied on, 0 to 1. */
export function confidenceOf({ source, evidenceMs }: Pick<SpeedEstimate, "source" | "evidenceMs">): number {
  const [least, most, halfMs] = confidences[source];
  return least + (most - least) * (evidenceMs / (evidenceMs + halfMs));
}

const mix = (from: number, to: number, weight: number) => from + (to - from) * weight;
/** Mixes speeds by their ratio: half of the way from 1 to 100 is 10. */
const mixSpeeds = (from: number, to: number, weight: number) => from * (to / from) ** weight;

/** Time for the work: a board that lets the first texts after a pause through at once has still to work them off. */
const timeOf = ({ busyMs, boardMs }: Work) => Math.max(busyMs, boardMs);

function bySaturation(previous: SpeedEstimate | null, work: Work): SpeedEstimate {
  const tokensPerS = (work.tokens * 1000) / timeOf(work);
  const fresh: SpeedEstimate = {
    tokensPerS,
    tokensPerText: work.tokens / work.texts,
    source: "saturated",
    evidenceMs: work.busyMs,
  };
  if (previous?.source !== "saturated") return fresh;
  const hasChanged = (from: number, to: number) => Math.abs(Math.log(to / from)) > Math.log(changedFactor);
  if (hasChanged(previous.tokensPerS, tokensPerS) || hasChanged(previous.tokensPerText, fresh.tokensPerText))
    return fresh;
  const weight = Math.max(minAgreeingWeight, work.busyMs / (previous.evidenceMs + work.busyMs));
  return {
    ...fresh,
    tokensPerS: mix(previous.tokensPerS, tokensPerS, weight),
    tokensPerText: mix(previous.tokensPerText, fresh.tokensPerText, weight),
    evidenceMs: previous.evidenceMs + work.busyMs,
  };
}

/** Corrects a hint towards the speed of batches; a measured capacity only upwards: a lone text computes slower than a full batch. */
function byBatches(previous: SpeedEstimate | null, tokensPerS: number, busyMs: number): SpeedEstimate | null {
  if (previous === null) return { tokensPerS, tokensPerText: 0, source: "served", evidenceMs: busyMs };
  const { source } = previous;
  const measured = source === "saturated" || source === "calibrated";
  if (measured && tokensPerS <= previous.tokensPerS) return previous;
  const weight = 1 - 0.5 ** (busyMs / (measured ? measuredHalfMs : hintHalfMs));
  const moved = mixSpeeds(previous.tokensPerS, tokensPerS, weight);
  if (measured) return { ...previous, tokensPerS: moved, evidenceMs: previous.evidenceMs * (1 - weight) };
  return {
    ...previous,
    tokensPerS: moved,
    source: "served",
    evidenceMs: (source === "served" ? previous.evidenceMs : 0) + busyMs,
  };
}

function decideSpeed(previous: SpeedEstimate | null, seen: SeenWork): CapacityDecision {
  const { texts, tokens, cost, busyMs, waitingMs, boardMs, windowMs, overloaded } = seen;
  const ms = timeOf(seen);
  if (waitingMs >= Math.max(minSaturatedMs, saturatedShare * busyMs))
    return { rule: "saturated", measuredTokensPerS: (tokens * 1000) / ms, estimate: bySaturation(previous, seen) };
  // A batch that ends in this stretch may have begun before it.
  const servedTokensPerS = (tokens * 1000) / Math.max(windowMs, ms);
  if (overloaded && servedTokensPerS < (previous?.tokensPerS ?? Number.POSITIVE_INFINITY)) {
    const estimate = bySaturation(previous, { ...seen, busyMs: windowMs, boardMs: 0 });
    return { rule: "overloaded", measuredTokensPerS: servedTokensPerS, estimate };
  }
  if (previous !== null && servedTokensPerS > previous.tokensPerS) {
    const { source } = previous;
    const proven = source === "saturated" || source === "calibrated" ? source : "served";
    const more = { tokensPerS: servedTokensPerS, tokensPerText: tokens / texts, source: proven } as const;
    return { rule: "exceeded", measuredTokensPerS: servedTokensPerS, estimate: { ...previous, ...more } };
  }
  if (busyMs < minServedMs) return { rule: "idle", measuredTokensPerS: null, estimate: previous };
  // A board that holds texts back does so by their number: small batches, with more overhead, tell no more of it.
  const tokensPerS = boardMs > busyMs ? (tokens * 1000) / boardMs : (cost * 1000) / (usualCostPerToken * ms);
  return { rule: "served", measuredTokensPerS: tokensPerS, estimate: byBatches(previous, tokensPerS, busyMs) };
}

/**
 * Corrects the estimate of a model's speed by what it did in a stretch of time. A saturated model shows its capacity, which counts at once;
 * under partial load the estimate follows slowly; while nothing is computed it only ages. Inside, speed is in tokens a second, which depends
 * little on the mix of texts.
 * @param previous null: nothing is known
 */
export function decideCapacityEstimate(previous: SpeedEstimate | null, seen: SeenWork): CapacityDecision {
  const aged =
    previous === null
      ? null
      : { ...previous, evidenceMs: previous.evidenceMs * 0.5 ** (seen.windowMs / evidenceHalfMs) };
  if (seen.texts === 0 || seen.windowMs <= 0) return { rule: "idle", measuredTokensPerS: null, estimate: aged };
  const decision = decideSpeed(aged, seen);
  const { estimate, rule } = decision;
  if (estimate === null || rule === "saturated" || rule === "overloaded" || rule === "exceeded") return decision;
  const weight = estimate.tokensPerText > 0 ? 1 - 0.5 ** (seen.texts / halfLengthTexts) : 1;
  const tokensPerText = mix(estimate.tokensPerText, seen.tokens / seen.texts, weight);
  return { ...decision, estimate: { ...estimate, tokensPerText } };
}
