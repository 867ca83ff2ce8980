/**
 * Bit that marks the tokens of a pair's second text; no vocabulary reaches it. So each token is one number, and a pair is one row of
 * numbers like any other text, for the queue, its cache and the frames.
 */
const secondText = 0x8000_0000;
/** Bit that marks the first token of a text of which the vector of every token is wanted, unpooled. */
const everyToken = 0x4000_0000;

export const asSecondText = (id: number): number => (id | secondText) >>> 0;

/** Returns a copy of a text's tokens that asks for the vectors of all of them. */
export function askingForEveryToken(ids: Uint32Array): Uint32Array {
  const marked = ids.slice();
  marked[0] = ((marked[0] ?? 0) | everyToken) >>> 0;
  return marked;
}

export const asksForEveryToken = (ids: Uint32Array): boolean => ((ids[0] ?? 0) & everyToken) !== 0;

export const idOf = (token: number): number => token & ~secondText & ~everyToken;

/** Returns BERT's token type: 1 for a token of the second text of a pair, else 0. */
export const typeOf = (token: number): number => token >>> 31;
