export const textLengths = ["short", "medium", "long", "mixed"] as const;
export type TextLength = (typeof textLengths)[number];

/** Tokens of the texts, including the two that a BERT-like tokenizer adds. The mix has six short texts, three medium ones and a long one. */
export const tokensOf: Readonly<Record<TextLength, readonly number[]>> = {
  short: [16],
  medium: [64],
  long: [256],
  mixed: [16, 64, 16, 16, 64, 16, 256, 16, 64, 16],
};
const addedTokens = 2;

/** Frequent English words, each a single token in the vocabularies of BERT-like models: a text's length in tokens is known without a tokenizer. */
const words = (
  "the of and to in was he is for it with as his on be at by had not are but from or have an they which one you were all her she there " +
  "would their we him been has when who will no more if out so up said what its about than into them can only other time new some could " +
  "these two may first then do any like my now over such our man me even most made after also well many must before back years where much " +
  "your way down should because long each just state those people too how little good world make very year still see own work men day get " +
  "here old between both life being under three never know same last another while us off might great go come since against right came take " +
  "used himself few house american use place during high without again home around small however found part school once general upon every " +
  "war does got united left number course water until always away public something fact less though far put head think called set almost " +
  "enough end took government night system better four nothing told eyes city going look why days present point second group social given " +
  "several order business church form national later large young next law early line"
).split(" ");

/**
 * Pseudo-random numbers in [0, 2³²) (xorshift32, Marsaglia, "Xorshift RNGs", 2003), cheap enough for one per word.
 */
function randomNumbers(seed: number): () => number {
  // Spreads neighbouring seeds, and avoids zero, the one state that xorshift never leaves.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

interface TextSourceOptions {
  readonly length: TextLength;
  /** Seed: equal seeds give equal texts. */
  readonly seed: number;
  /** Share of texts that were sent before, 0 to 1, for a server's cache. */
  readonly repeatShare?: number;
}

/** Number of distinct repeated texts, small enough for any cache. */
const repeatedTexts = 256;

/** Creates an endless source of texts, all different except for those repeated on purpose: a cache of results must not flatter the server. */
export function createTextSource({ length, seed, repeatShare = 0 }: TextSourceOptions): () => string {
  const lengths = tokensOf[length];
  const random = randomNumbers(seed);
  const word = () => words[random() % words.length] as string;
  const sent: string[] = [];
  let count = 0;
  return () => {
    // High bits here, because low bits pick words.
    if (sent.length > 0 && random() / 2 ** 32 < repeatShare) return sent[(random() >>> 16) % sent.length] as string;
    const tokens = lengths[count % lengths.length] as number;
    count += 1;
    let text = word();
    for (let more = tokens - addedTokens - 1; more > 0; more -= 1) text += ` ${word()}`;
    if (repeatShare > 0 && sent.length < repeatedTexts) sent.push(text);
    return text;
  };
}
