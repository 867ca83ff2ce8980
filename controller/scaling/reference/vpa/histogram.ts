import type { Buckets } from "./buckets.ts";
import type { RightSizeInputs } from "./right-size-inputs.ts";

/** Weights by bucket; only the buckets that were hit are kept. */
interface Histogram {
  readonly weights: ReadonlyMap<number, number>;
  readonly totalWeight: number;
}

/** Number of half-lives beyond which weights would leave the range of floats. */
const maxHalfLives = 100;

/** Adds up samples; with a half-life later ones weigh more, doubling with each, counted from a reference that moves along. */
export function fillHistogram(
  buckets: Buckets,
  samples: RightSizeInputs["percentile"]["samples"],
  halfLifeS: number | undefined,
): Histogram {
  const weights = new Map<number, number>();
  let totalWeight = 0;
  let referenceS: number | null = null;
  for (const { atS = 0, value, weight } of samples) {
    let factor = 1;
    if (halfLifeS !== undefined) {
      if (referenceS === null || atS > referenceS + halfLifeS * maxHalfLives) {
        const movedS = Math.round(atS / halfLifeS) * halfLifeS;
        const scale = referenceS === null ? 1 : 2 ** Math.round((referenceS - movedS) / halfLifeS);
        for (const [bucket, old] of weights) weights.set(bucket, old * scale);
        totalWeight *= scale;
        referenceS = movedS;
      }
      factor = 2 ** ((atS - referenceS) / halfLifeS);
    }
    const bucket = buckets.find(value);
    weights.set(bucket, (weights.get(bucket) ?? 0) + weight * factor);
    totalWeight += weight * factor;
  }
  return { weights, totalWeight };
}

/** Returns the end of the bucket in which the share `percentile` of the weight is reached; the start of the last one, which has no end. */
export function percentileOf(buckets: Buckets, { weights, totalWeight }: Histogram, percentile: number): number {
  const filled = [...weights].filter(([, weight]) => weight >= buckets.epsilon).map(([bucket]) => bucket);
  if (filled.length === 0) return 0;
  const first = Math.min(...filled);
  const last = Math.max(...filled);
  let cumulated = 0;
  let found = last;
  for (const bucket of [...weights.keys()].sort((a, b) => a - b)) {
    if (bucket < first || bucket > last) continue;
    cumulated += weights.get(bucket) ?? 0;
    if (cumulated >= percentile * totalWeight) {
      found = bucket;
      break;
    }
  }
  return buckets.startOf(found < buckets.count - 1 ? found + 1 : found);
}
