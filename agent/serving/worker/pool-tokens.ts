/** Way to make one vector of token vectors. */
export type TokenPooling = "mean" | "cls" | "last-token" | "splade";

function meanOf(hidden: Float32Array, start: number, tokens: number, dimension: number): Float32Array {
  const sum = new Float64Array(dimension);
  for (let token = 0; token < tokens; token += 1) {
    const offset = start + token * dimension;
    for (let i = 0; i < dimension; i += 1) sum[i] = (sum[i] as number) + (hidden[offset + i] as number);
  }
  const mean = new Float32Array(dimension);
  for (let i = 0; i < dimension; i += 1) mean[i] = (sum[i] as number) / tokens;
  return mean;
}

/** Weights of the vocabulary's tokens: of each the largest among a text's tokens, which count if positive, on a logarithmic scale (SPLADE). */
function spladeOf(logits: Float32Array, start: number, tokens: number, dimension: number): Float32Array {
  const weights = new Float32Array(dimension);
  for (let token = 0; token < tokens; token += 1) {
    const offset = start + token * dimension;
    for (let i = 0; i < dimension; i += 1) {
      const logit = logits[offset + i] as number;
      // A value that is not a number stays, to be found later.
      if (logit > (weights[i] as number) || Number.isNaN(logit)) weights[i] = logit;
    }
  }
  return weights.map(Math.log1p);
}

/**
 * Makes one vector for each text of those of its tokens, without the padding: their mean, the first one, the last, or SPLADE's weights. Texts are padded at
 * their end, so a text's last token is the one before its padding.
 * @param hidden batch × paddedTokens × dimension, row by row
 * @param lengths number of tokens of each text, at least 1
 */
export function poolTokens(
  hidden: Float32Array,
  lengths: readonly number[],
  paddedTokens: number,
  dimension: number,
  pooling: TokenPooling,
): Float32Array[] {
  return lengths.map((length, row) => {
    const start = row * paddedTokens * dimension;
    if (pooling === "mean") return meanOf(hidden, start, length, dimension);
    if (pooling === "splade") return spladeOf(hidden, start, length, dimension);
    const token = start + (pooling === "cls" ? 0 : length - 1) * dimension;
    return hidden.slice(token, token + dimension);
  });
}
