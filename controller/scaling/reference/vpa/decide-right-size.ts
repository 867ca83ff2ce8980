import { addMargin, capRecommendation, raiseToMinimum, widenByConfidence } from "./amounts.ts";
import { createBuckets } from "./buckets.ts";
import { fillHistogram, percentileOf } from "./histogram.ts";
import { collectMemoryPeaks } from "./memory-peaks.ts";
import type { RightSizeInput } from "./right-size-inputs.ts";

/** Decides one step of sizing a replica by the rules of Kubernetes' vertical pod autoscaler; CPU in cores (capping: millicores), memory in bytes. */
export function decideRightSize(input: RightSizeInput) {
  switch (input.kind) {
    case "buckets": {
      const buckets = createBuckets(input.options);
      return {
        numBuckets: buckets.count,
        bucketStarts: input.startOf.map(buckets.startOf),
        buckets: input.find.map(buckets.find),
      };
    }
    case "percentile": {
      const buckets = createBuckets(input.options);
      const histogram = fillHistogram(buckets, input.samples, input.halfLifeS);
      return { values: input.percentiles.map((percentile) => percentileOf(buckets, histogram, percentile)) };
    }
    case "confidence":
      return widenByConfidence(input);
    case "margin":
      return addMargin(input);
    case "minResources":
      return raiseToMinimum(input);
    case "oom":
      return collectMemoryPeaks(input);
    case "capping":
      return capRecommendation(input);
    default:
      return input satisfies never;
  }
}
