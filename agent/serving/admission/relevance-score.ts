/**
 * The score of a pair from a cross-encoder's outputs. With one label the logistic function of its output, 0 to 1; with several the
 * share that softmax gives to the label that means "relevant". Raw: that label's output as it is.
 */
export function relevanceScore(logits: Float32Array, relevantLabel: number, raw: boolean): number {
  const logit = logits[relevantLabel];
  if (logit === undefined || !Number.isFinite(logit))
    throw new Error(`the model computed no finite score: label ${relevantLabel} of ${logits.length}`);
  if (raw) return logit;
  if (logits.length === 1) return 1 / (1 + Math.exp(-logit));
  // Against the largest, so that no exponential overflows.
  const largest = Math.max(...logits);
  let sum = 0;
  for (const each of logits) sum += Math.exp(each - largest);
  return Math.exp(logit - largest) / sum;
}
