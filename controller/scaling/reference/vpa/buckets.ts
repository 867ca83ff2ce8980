import type { BucketOptions } from "./right-size-inputs.ts";

export interface Buckets {
  readonly count: number;
  readonly epsilon: number;
  startOf(bucket: number): number;
  find(value: number): number;
}

const clampTo = (count: number, index: number) => Math.max(0, Math.min(count - 1, Math.trunc(index)));

/** Creates the buckets of VPA's histograms: of one size, or each `ratio` times as large as the one before. The last has no end. */
export function createBuckets({ scheme, maxValue, epsilon, ...sizes }: BucketOptions): Buckets {
  if (scheme === "linear") {
    const { bucketSize = 1 } = sizes;
    const count = Math.ceil(maxValue / bucketSize) + 1;
    return {
      ...{ count, epsilon, startOf: (bucket) => bucket * bucketSize },
      find: (value) => clampTo(count, value / bucketSize),
    };
  }
  const { firstBucketSize = 0.01, ratio = 1.05 } = sizes;
  const place = (value: number) => Math.log((value * (ratio - 1)) / firstBucketSize + 1) / Math.log(ratio);
  const count = Math.ceil(place(maxValue)) + 1;
  return {
    ...{ count, epsilon },
    startOf: (bucket) => (bucket === 0 ? 0 : (firstBucketSize * (ratio ** bucket - 1)) / (ratio - 1)),
    find: (value) => (value < firstBucketSize ? 0 : clampTo(count, place(value))),
  };
}
