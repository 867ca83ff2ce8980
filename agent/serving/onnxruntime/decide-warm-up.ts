import type { BatchPolicy } from "#agent/serving/batching/decide-batch.ts";

/** Shape of a batch: the number of its texts and the tokens to which each is padded. */
export interface BatchShape {
  readonly texts: number;
  readonly paddedTokens: number;
}

export interface WarmUpDecision {
  readonly rule: "every-length" | "no-fixed-lengths";
  readonly batches: readonly BatchShape[];
}

/**
 * Decides the batches that a GPU computes before the first request. TensorRT builds an engine for the shapes that it has seen, and needs a
 * minute or more when another one comes; CUDA chooses its kernels at the first use. So every padded length comes once, from the longest to
 * the shortest, alone and in the fullest batch that the policy allows.
 * @param maxTokens longest text that the model reads
 */
export function decideWarmUp(policy: BatchPolicy, maxTokens: number): WarmUpDecision {
  const { padTo } = policy;
  if (padTo === "longest") return { rule: "no-fixed-lengths", batches: [] };
  const longest = padTo.findIndex((length) => length >= maxTokens);
  const lengths = longest < 0 ? padTo : padTo.slice(0, longest + 1);
  const batches = lengths.toReversed().flatMap((paddedTokens) => {
    const maxTexts = Math.max(1, Math.min(policy.maxTexts, Math.floor(policy.maxTokens / paddedTokens)));
    return [...new Set([maxTexts, 1])].map((texts) => ({ texts, paddedTokens }));
  });
  return { rule: "every-length", batches };
}
