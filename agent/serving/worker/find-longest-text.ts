import { BatchFailedError, type ModelProcess } from "./model-process.ts";
import { lacksMemory } from "./probe-model.ts";

/** Texts beyond it take a small device long, and memory that grows by the square: longer limits are believed. */
const maxTriedTokens = 1_024;

/**
 * Has a model that was just loaded compute a text as long as its files allow. How many positions it has is no fact of the files alone: some
 * models begin to count behind the padding token, or say a number that their weights don't have.
 * @param lastId highest id of the tokenizer, of which one token is known to be computed
 * @param maxTokens limit by the model's files
 * @returns tokens of the longest text that it computes
 * @throws ModelProcessLostError
 */
export async function findLongestText(
  process: Pick<ModelProcess, "run">,
  lastId: number,
  maxTokens: number,
): Promise<number> {
  const isComputed = async (tokens: number): Promise<boolean> => {
    try {
      await process.run([new Uint32Array(tokens).fill(lastId)], tokens);
      return true;
    } catch (error) {
      if (!(error instanceof BatchFailedError)) throw error;
      // Another time there may be more.
      return lacksMemory(error);
    }
  };
  if (maxTokens > maxTriedTokens || (await isComputed(maxTokens))) return maxTokens;
  let computed = 1;
  let failed = maxTokens;
  while (failed - computed > 1) {
    const middle = Math.floor((computed + failed) / 2);
    if (await isComputed(middle)) computed = middle;
    else failed = middle;
  }
  return computed;
}
