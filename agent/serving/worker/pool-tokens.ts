import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";

/** Way to make one vector of token vectors. */
export type TokenPooling = Exclude<ModelManifest["pooling"], "model">;

interface TokenRows {
  readonly hidden: Float32Array;
  readonly start: number;
  readonly tokens: number;
  readonly dimension: number;
}

/** Sums a text's token vectors, each times its weight, and divides the sum. */
function sumOf({ hidden, start, tokens, dimension }: TokenRows, weighted: boolean, divisor: number): Float32Array {
  const sum = new Float64Array(dimension);
  for (let token = 0; token < tokens; token += 1) {
    const offset = start + token * dimension;
    const weight = weighted ? token + 1 : 1;
    for (let i = 0; i < dimension; i += 1) sum[i] = (sum[i] as number) + weight * (hidden[offset + i] as number);
  }
  const result = new Float32Array(dimension);
  for (let i = 0; i < dimension; i += 1) result[i] = (sum[i] as number) / divisor;
  return result;
}

function maxOf({ hidden, start, tokens, dimension }: TokenRows): Float32Array {
  const max = hidden.slice(start, start + dimension);
  for (let token = 1; token < tokens; token += 1) {
    const offset = start + token * dimension;
    for (let i = 0; i < dimension; i += 1) max[i] = Math.max(max[i] as number, hidden[offset + i] as number);
  }
  return max;
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
 * Makes one vector for each text of those of its tokens, without the padding. Texts are padded at their end, so a text's last token is the
 * one before its padding.
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
    const rows = { hidden, start, tokens: length, dimension };
    switch (pooling) {
      case "mean":
        return sumOf(rows, false, length);
      case "mean-sqrt-length":
        return sumOf(rows, false, Math.sqrt(length));
      case "weighted-mean":
        return sumOf(rows, true, (length * (length + 1)) / 2);
      case "max":
        return maxOf(rows);
      case "splade":
        return spladeOf(hidden, start, length, dimension);
      case "cls":
        return hidden.slice(start, start + dimension);
      case "last-token":
        return hidden.slice(start + (length - 1) * dimension, start + length * dimension);
      default:
        return pooling satisfies never;
    }
  });
}
