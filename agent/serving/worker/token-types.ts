/**
 * Bit that marks the tokens of a pair's second text; no vocabulary reaches it. So each token is one number, and a pair is one row of
 * numbers like any other text, for the queue, its cache and the frames.
 */
const secondText = 0x8000_0000;

export const asSecondText = (id: number): number => (id | secondText) >>> 0;

export const idOf = (token: number): number => token & ~secondText;

/** Returns BERT's token type: 1 for a token of the second text of a pair, else 0. */
export const typeOf = (token: number): number => token >>> 31;
