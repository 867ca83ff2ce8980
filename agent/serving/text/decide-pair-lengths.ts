/** Tokens that are kept of each of two texts. */
export interface PairLengths {
  readonly first: number;
  readonly second: number;
  /** Texts that are cut: none, the longer one to what the shorter leaves, or both to halves. */
  readonly rule: "uncut" | "longer-cut" | "both-cut";
}

/**
 * Decides how many tokens are kept of two texts that are read together, by the "longest first" rule of Hugging Face's tokenizers: the longer
 * one is cut to what the shorter leaves; if the shorter alone takes more than half, both are cut to halves, and the longer text gets the odd
 * token.
 * @param maxTokens of both together
 */
export function decidePairLengths(first: number, second: number, maxTokens: number): PairLengths {
  if (first + second <= maxTokens) return { first, second, rule: "uncut" };
  const half = Math.floor(maxTokens / 2);
  const rule = Math.min(first, second) > half ? "both-cut" : "longer-cut";
  const shorter = Math.min(first, second, half);
  const longer = maxTokens - shorter;
  return first <= second ? { first: shorter, second: longer, rule } : { first: longer, second: shorter, rule };
}
