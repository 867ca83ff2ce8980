import { usualCostPerToken } from "#agent/serving/batching/decide-batch.ts";
import type { Work } from "#agent/serving/batching/work-record.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";
import { decideSpeedChange, isOfSmallBatches, type MixSpeed, type SpeedChange } from "./decide-speed-change.ts";

/** Speed that a device reaches with one model in one power mode. */
export interface SpeedEstimate {
  readonly tokensPerS: number;
  /** Mean length of the texts that were computed of late. */
  readonly tokensPerText: number;
  readonly source: CapacityEstimate["source"];
  /** Time of computation that the estimate rests on. */
  readonly evidenceMs: number;
  /** Speeds of batches by their mix, by which a change is seen under partial load; absent: none was learnt. */
  readonly mixes?: readonly MixSpeed[] | undefined;
}

/** Work of a model in a stretch of time, which the board spent in one mode. */
export interface SeenWork extends Work {
  readonly windowMs: number;
  /** Requests were refused for want of capacity. */
  readonly refused?: boolean;
  /** So they were, others were in progress all the time, and the processor was busy. */
  readonly overloaded: boolean;
}

export type CapacityRule =
  /** Texts waited nearly all the time in which the model computed, more than it can take at a time: what it did is its capacity. */
  | "saturated"
  /** Requests were refused although few texts waited for the model: the limit is elsewhere (tokenizing, the server), and what was served is the capacity. */
  | "overloaded"
  /** More was served than was thought possible. */
  | "exceeded"
  /** No text waited: the speed of the batches is a hint, and shows whether the device has become slower or faster. */
  | "served"
  /** Too little was computed to say anything. */
  | "idle";

export interface CapacityDecision {
  readonly rule: CapacityRule;
  /** Tokens per second of this stretch; null: not measured. */
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
/** A measured capacity that differs by more than this factor is another device's: the clock of its processor, its cooling, its neighbours. */
const otherDeviceFactor = 1.15;
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

const isMeasured = ({ source }: Pick<SpeedEstimate, "source">) => source === "saturated" || source === "calibrated";

/** Time for the work: a board that lets the first texts after a pause through at once has still to work them off. */
const timeOf = ({ busyMs, boardMs }: Work) => Math.max(busyMs, boardMs);

/** Speeds by mix after a stretch, and the device's change as far as they show it. */
type Change = Pick<SpeedChange, "factor" | "mixes">;

function bySaturation(previous: SpeedEstimate | null, work: Work, { mixes }: Change): SpeedEstimate {
  const tokensPerS = (work.tokens * 1000) / timeOf(work);
  const fresh: SpeedEstimate = {
    tokensPerS,
    tokensPerText: work.tokens / work.texts,
    source: "saturated",
    evidenceMs: work.busyMs,
  };
  const hasChanged = (from: number, to: number, factor = changedFactor) =>
    Math.abs(Math.log(to / from)) > Math.log(factor);
  // Speeds of a device that has become another one since are learnt anew.
  const isOther =
    previous !== null && isMeasured(previous) && hasChanged(previous.tokensPerS, tokensPerS, otherDeviceFactor);
  const known = isOther || mixes.length === 0 ? {} : { mixes };
  if (previous?.source !== "saturated") return { ...fresh, ...known };
  if (hasChanged(previous.tokensPerS, tokensPerS) || hasChanged(previous.tokensPerText, fresh.tokensPerText))
    return { ...fresh, ...known };
  const weight = Math.max(minAgreeingWeight, work.busyMs / (previous.evidenceMs + work.busyMs));
  return {
    ...fresh,
    ...known,
    tokensPerS: mix(previous.tokensPerS, tokensPerS, weight),
    tokensPerText: mix(previous.tokensPerText, fresh.tokensPerText, weight),
    evidenceMs: previous.evidenceMs + work.busyMs,
  };
}

/** Scales an estimate by a change of the device's speed, and reduces its evidence. */
function byChange(previous: SpeedEstimate, { factor, mixes }: Change): SpeedEstimate {
  const evidenceMs = previous.evidenceMs * Math.min(factor, 1 / factor) ** 2;
  return { ...previous, tokensPerS: previous.tokensPerS * factor, evidenceMs, mixes };
}

/** Corrects a hint towards the speed of batches; a measured capacity only upwards: a lone text computes slower than a full batch. */
function byBatches(previous: SpeedEstimate | null, tokensPerS: number, busyMs: number): SpeedEstimate {
  if (previous === null) return { tokensPerS, tokensPerText: 0, source: "served", evidenceMs: busyMs };
  const { source } = previous;
  const measured = isMeasured(previous);
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

/** Corrects an estimate under partial load. */
function byService(previous: SpeedEstimate | null, seen: SeenWork, tokensPerS: number, change: Change): SpeedEstimate {
  const { texts, busyMs, boardMs } = seen;
  const changed = previous === null ? null : byChange(previous, change);
  const boardTokensPerS = ((texts * 1000) / boardMs) * (changed?.tokensPerText ?? 0);
  if (changed !== null && isMeasured(changed) && boardMs > busyMs && boardTokensPerS < changed.tokensPerS) {
    const weight = 1 - 0.5 ** (busyMs / hintHalfMs);
    const factor = (boardTokensPerS / changed.tokensPerS) ** weight;
    return byChange(changed, { factor, mixes: change.mixes });
  }
  const mixes = change.mixes.length > 0 ? { mixes: change.mixes } : {};
  // Larger batches are better evidence of the device's capacity.
  if (changed !== null && !isMeasured(changed) && isOfSmallBatches(change.mixes)) return changed;
  return { ...byBatches(changed, tokensPerS, busyMs), ...mixes };
}

function decideSpeed(previous: SpeedEstimate | null, seen: SeenWork): CapacityDecision {
  const { texts, tokens, cost, busyMs, waitingMs, leftMs, boardMs, windowMs, overloaded } = seen;
  const ms = timeOf(seen);
  const unchanged: Change = { factor: 1, mixes: previous?.mixes ?? [] };
  // A board that holds texts back says nothing of the speed of batches.
  const change = (boardMs === 0 && busyMs >= minServedMs && decideSpeedChange(unchanged.mixes, seen)) || unchanged;
  const isFull = leftMs >= saturatedShare * busyMs || seen.refused === true || boardMs > 0;
  // Texts wait for small batches at half the load, too: that lowers no capacity that was measured.
  const tells = isFull || previous === null || !isMeasured(previous);
  if (tells && waitingMs >= Math.max(minSaturatedMs, saturatedShare * busyMs))
    return {
      rule: "saturated",
      measuredTokensPerS: (tokens * 1000) / ms,
      estimate: bySaturation(previous, seen, change),
    };
  // A batch that ends in this stretch may have begun before it.
  const servedTokensPerS = (tokens * 1000) / Math.max(windowMs, ms);
  if (overloaded && servedTokensPerS < (previous?.tokensPerS ?? Number.POSITIVE_INFINITY)) {
    const estimate = bySaturation(previous, { ...seen, busyMs: windowMs, boardMs: 0 }, change);
    return { rule: "overloaded", measuredTokensPerS: servedTokensPerS, estimate };
  }
  if (previous !== null && servedTokensPerS > previous.tokensPerS) {
    const source = isMeasured(previous) ? previous.source : "served";
    const more = { tokensPerS: servedTokensPerS, tokensPerText: tokens / texts, source } as const;
    return {
      rule: "exceeded",
      measuredTokensPerS: servedTokensPerS,
      estimate: { ...previous, ...more, mixes: change.mixes },
    };
  }
  if (busyMs < minServedMs) return { rule: "idle", measuredTokensPerS: null, estimate: previous };
  // A board that holds texts back does so by their number: small batches, with more overhead, tell no more of it.
  const tokensPerS = boardMs > busyMs ? (tokens * 1000) / boardMs : (cost * 1000) / (usualCostPerToken * ms);
  return { rule: "served", measuredTokensPerS: tokensPerS, estimate: byService(previous, seen, tokensPerS, change) };
}

/**
 * Corrects the estimate of a model's speed by what it did in a stretch of time. A saturated model shows its capacity, which counts at once;
 * under partial load the estimate follows slowly, also downwards where batches take longer than those of the same mix did before; while nothing
 * is computed it only ages. Inside, speed is in tokens per second, which depends little on the mix of texts.
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
