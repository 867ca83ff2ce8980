/**
 * The mean of each text's token vectors, padding left out: sentence-transformers' mean pooling.
 * @param hidden batch × paddedTokens × dimension, row by row
 * @param lengths how many of the tokens are the text's own; at least 1 each
 */
export function poolTokens(
  hidden: Float32Array,
  lengths: readonly number[],
  paddedTokens: number,
  dimension: number,
): Float32Array[] {
  return lengths.map((length, row) => {
    const sum = new Float64Array(dimension);
    const start = row * paddedTokens * dimension;
    for (let token = 0; token < length; token += 1) {
      const offset = start + token * dimension;
      for (let i = 0; i < dimension; i += 1) sum[i] = (sum[i] as number) + (hidden[offset + i] as number);
    }
    const mean = new Float32Array(dimension);
    for (let i = 0; i < dimension; i += 1) mean[i] = (sum[i] as number) / length;
    return mean;
  });
}
