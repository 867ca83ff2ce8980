import { isPair, type TextInput } from "#agent/serving/text/text-input.ts";

/** Characters per token of English prose; other scripts have fewer. */
const charactersPerToken = 4;
/** Special tokens that a model puts around a text. */
const specialTokens = 2;

/** Estimates how many tokens the model will read, before the text is tokenised. */
export function estimateTokens(input: TextInput, maxTokens: number): number {
  const tokens =
    typeof input === "string"
      ? input.length / charactersPerToken
      : isPair(input)
        ? (input.first.length + input.second.length) / charactersPerToken
        : input.length;
  return Math.min(maxTokens, Math.ceil(tokens) + specialTokens);
}

/** Overhead of the runtime for a text, its vector and its place in the queue. */
const overheadBytes = 500;
const bytesPerTokenId = 8;

/** Most tokens that an input can have: one a character. */
function mostTokens(input: TextInput): number {
  return (isPair(input) ? input.first.length + input.second.length : input.length) + specialTokens;
}

/**
 * Estimates the memory of a waiting request: its texts, at two bytes per character, and its vectors.
 * @param maxVectors of an input: 1, or the model's tokens where all of their vectors are wanted
 */
export function estimateBytes(inputs: readonly TextInput[], dimension: number, maxVectors = 1): number {
  let bytes = inputs.length * overheadBytes;
  for (const input of inputs) bytes += 4 * dimension * (maxVectors === 1 ? 1 : Math.min(maxVectors, mostTokens(input)));
  let shared: string | undefined;
  for (const input of inputs) {
    if (typeof input === "string") bytes += 2 * input.length;
    else if (!isPair(input)) bytes += bytesPerTokenId * input.length;
    else {
      // A query that is ranked against many texts is one string.
      if (input.first !== shared) bytes += 2 * input.first.length;
      shared = input.first;
      bytes += 2 * input.second.length;
    }
  }
  return bytes;
}
