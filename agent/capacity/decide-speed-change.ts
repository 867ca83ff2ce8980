import { type Static, Type } from "@sinclair/typebox";
import { usualCostPerToken } from "#agent/serving/batching/decide-batch.ts";
import type { Work } from "#agent/serving/batching/work-record.ts";
import { bounds } from "#protocol/bounds.ts";

const Step = Type.Integer({ minimum: 0, maximum: 200 });

/** Speed of the batches of one mix: alike in size, in length of their texts and in how many are computed at a time. */
export const MixSpeed = Type.Object({
  /** Steps of the cost of a batch, of the length of a text (each a factor of √2) and of the batches at a time (a factor of 2). */
  mix: Type.Tuple([Step, Step, Step]),
  /** Binary logarithm of a batch's cost, averaged over the computation that the speed was learnt from. */
  size: Type.Number({ minimum: 0, maximum: 100 }),
  tokensPerS: Type.Number({ exclusiveMinimum: 0, maximum: bounds.tokens }),
  /** Computation that it was learnt from. */
  learntMs: Type.Number({ minimum: 0 }),
});
export type MixSpeed = Static<typeof MixSpeed>;

/** Mixes that are remembered for a model in a mode. */
export const maxMixes = 16;

export interface SpeedChange {
  /** learnt: this mix was not known well enough; followed: compared with its own speed. */
  readonly rule: "learnt" | "followed";
  /** Factor by which the device's speed has changed, as far as it is believed. */
  readonly factor: number;
  /** Speeds by mix as they are now, the one in use last. */
  readonly mixes: readonly MixSpeed[];
}

/** Computation that a mix's speed is learnt from, and after which an estimate has gone half of the way to a change. */
const learnMs = 15_000;
const followHalfMs = 15_000;

/** Sizes of batches that differ by less say nothing of how speed grows with size. */
const minSizeApart = 0.2;

/** Returns the speed that a mix should have at this size of batches: along the line through the mix nearest in size, else its own. */
function speedAt(size: number, own: MixSpeed, others: readonly MixSpeed[]): number {
  const isLike = ({ mix, learntMs, size: otherSize }: MixSpeed) =>
    learntMs >= learnMs &&
    mix[1] === own.mix[1] &&
    mix[2] === own.mix[2] &&
    Math.abs(otherSize - own.size) >= minSizeApart;
  const towards = (other: MixSpeed) => ((other.size - own.size) * (size - own.size) > 0 ? 0 : 100);
  const rank = (other: MixSpeed) => towards(other) + Math.abs(other.size - own.size);
  const [next] = others.filter(isLike).sort((a, b) => rank(a) - rank(b));
  if (next === undefined) return own.tokensPerS;
  return own.tokensPerS * (next.tokensPerS / own.tokensPerS) ** ((size - own.size) / (next.size - own.size));
}

/** Returns the mix of a stretch's batches; null without one. */
export function mixOf({ batches, computedCost, computeMs, texts, tokens, busyMs }: Work): MixSpeed["mix"] | null {
  if (!(batches > 0 && computedCost > 0 && texts > 0 && tokens > 0 && busyMs > 0)) return null;
  const step = (value: number, perDoubling: number) =>
    Math.min(200, Math.max(0, Math.round(perDoubling * Math.log2(Math.max(1, value)))));
  return [step(computedCost / batches, 2), step(tokens / texts, 2), step(computeMs / busyMs, 1)];
}

/**
 * Decides how much a device's speed has changed, by how long its batches take. Small batches, short texts and batches that share the processor
 * are slower or faster by themselves, so each mix is compared with its own speed: the one that it had when it was first seen. A change is common
 * to all mixes.
 * @returns null when the stretch has no mix
 */
export function decideSpeedChange(known: readonly MixSpeed[], work: Work): SpeedChange | null {
  const mix = mixOf(work);
  if (mix === null) return null;
  const { batches, computedCost, busyMs } = work;
  const tokensPerS = (computedCost * 1000) / (usualCostPerToken * busyMs);
  const size = Math.log2(Math.max(1, computedCost / batches));
  const isThis = (each: MixSpeed) => each.mix.every((step, index) => step === mix[index]);
  const others = known.filter((each) => !isThis(each));
  const own = known.find(isThis) ?? { mix, size, tokensPerS, learntMs: 0 };
  if (own.learntMs < learnMs) {
    const learntMs = own.learntMs + busyMs;
    const weight = busyMs / learntMs;
    const learnt = {
      ...{ mix, learntMs, size: own.size + (size - own.size) * weight },
      tokensPerS: own.tokensPerS * (tokensPerS / own.tokensPerS) ** weight,
    };
    return { rule: "learnt", factor: 1, mixes: [...others, learnt].slice(-maxMixes) };
  }
  const factor = (tokensPerS / speedAt(size, own, others)) ** (1 - 0.5 ** (busyMs / followHalfMs));
  return {
    rule: "followed",
    factor,
    mixes: [...others, own].map((each) => ({ ...each, tokensPerS: each.tokensPerS * factor })),
  };
}

/** Returns true when the mix in use last, which is at the end, has smaller batches than another one whose speed is known. */
export function isOfSmallBatches(mixes: readonly MixSpeed[]): boolean {
  const size = mixes.at(-1)?.mix[0] ?? 0;
  return mixes.some(({ mix, learntMs }) => mix[0] > size && learntMs >= learnMs);
}
