import type { BatchPolicy } from "#agent/serving/batching/decide-batch.ts";

/** The shape of a batch: its texts, each padded to so many tokens. */
export interface BatchShape {
  readonly texts: number;
  readonly paddedTokens: number;
}

/**
 * Which batches a GPU computes before the first request: TensorRT builds an engine for the shapes it has seen, for a minute or more when
 * one comes that is outside of them, and CUDA chooses its kernels at the first use. So every padded length comes once, from the
 * longest to the shortest, alone and in the fullest batch that the policy allows.
 * @param maxTokens the longest text that the model reads
 */
export function decideWarmUp(policy: BatchPolicy, maxTokens: number): BatchShape[] {
  const { padTo } = policy;
  if (padTo === "longest") return [];
  const longest = padTo.findIndex((length) => length >= maxTokens);
  const lengths = longest < 0 ? padTo : padTo.slice(0, longest + 1);
  return [...lengths].reverse().flatMap((paddedTokens) => {
    const most = Math.max(1, Math.min(policy.maxTexts, Math.floor(policy.maxTokens / paddedTokens)));
    return most === 1 ? [{ texts: 1, paddedTokens }] : [most, 1].map((texts) => ({ texts, paddedTokens }));
  });
}
