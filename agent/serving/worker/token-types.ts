/**
 * Tokens travel as one number each. Of a pair of texts, those of type 1 have the highest bit set, which no vocabulary reaches:
 * so a pair is one row of numbers like any other text, for the line, its cache and the frames.
 */
const secondText = 0x8000_0000;

/** Marks a token as one of type 1. */
export const asSecondText = (id: number): number => (id | secondText) >>> 0;

/** The token's place in the vocabulary. */
export const idOf = (token: number): number => token & ~secondText;

/** 0, or 1 for a token of the second text of a pair: what BERT calls its token type. */
export const typeOf = (token: number): number => token >>> 31;
