import { Type } from "@sinclair/typebox";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";

const ErrorSum = Type.Number({ minimum: 0, maximum: 1e15 });

/** Errors of two models over the same stretch of the record. */
export const PairedErrors = Type.Object({ candidate: ErrorSum, incumbent: ErrorSum }, { additionalProperties: false });
export type PairedErrors = ReadonlyStatic<typeof PairedErrors>;

const resamples = 1_000;

/**
 * Probability that the candidate is no better, estimated by a paired bootstrap (Efron 1979): the share of resamples of the stretches in which
 * its errors sum up to no less than the incumbent's. 1 without a stretch.
 * @param seed start of the random choice.
 */
export function chanceOfLuck(pairs: readonly PairedErrors[], seed: number): number {
  if (pairs.length === 0) return 1;
  const random = seededRandom(seed);
  let lost = 0;
  for (let resample = 0; resample < resamples; resample += 1) {
    let gain = 0;
    for (let draw = 0; draw < pairs.length; draw += 1) {
      const { candidate, incumbent } = pairs[Math.floor(random() * pairs.length)] as PairedErrors;
      gain += incumbent - candidate;
    }
    if (gain <= 0) lost += 1;
  }
  return lost / resamples;
}
