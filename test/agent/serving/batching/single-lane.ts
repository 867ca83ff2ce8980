import type { BatchPolicy } from "#agent/serving/batching/decide-batch.ts";
import type { BatchRunner, FreeLane, Lanes } from "#agent/serving/batching/model-lanes.ts";

/** A single process, one batch at a time. */
export function singleLane(runner: BatchRunner, policy: BatchPolicy): Lanes {
  let busy = false;
  const lane: FreeLane = {
    policy,
    async run(texts, paddedTokens) {
      busy = true;
      try {
        return await runner.run(texts, paddedTokens);
      } finally {
        busy = false;
      }
    },
  };
  return { next: () => (busy ? null : lane) };
}
