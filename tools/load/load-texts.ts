export const textLengths = ["short", "medium", "long", "mixed"] as const;
export type TextLength = (typeof textLengths)[number];

/** Tokens of a text, the two that a BERT-like tokenizer adds included. The mix: six short to three medium to one long. */
export const tokensOf: Readonly<Record<TextLength, readonly number[]>> = {
  short: [16],
  medium: [64],
  long: [256],
  mixed: [16, 64, 16, 16, 64, 16, 256, 16, 64, 16],
};
const addedTokens = 2;

/** Frequent English words: each is a single token in the vocabularies of BERT-like models, so that a text's length is known without its tokenizer. */
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
 * Numbers in [0, 2³²) that look random, the same for the same seed (xorshift32 of Marsaglia, "Xorshift RNGs", 2003). Cheap: a text of
 * 256 words takes as many.
 */
function randomNumbers(seed: number): () => number {
  // Neighbouring seeds shall not give like texts, and zero is the one state that xorshift never leaves.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

export interface TextSourceOptions {
  readonly length: TextLength;
  /** The same texts for the same seed. */
  readonly seed: number;
  /** Share of the texts that were sent before, 0 to 1, so that a server's cache can answer them. */
  readonly repeatShare?: number;
}

/** What is repeated is among so many texts: few enough that any server that remembers at all remembers them. */
const repeatedTexts = 256;

/** Texts without end. Those that are not repeated on purpose are all different: a cache of results must not flatter the server. */
export function createTextSource({ length, seed, repeatShare = 0 }: TextSourceOptions): () => string {
  const lengths = tokensOf[length];
  const random = randomNumbers(seed);
  const word = () => words[random() % words.length] as string;
  const sent: string[] = [];
  let count = 0;
  return () => {
    // Halves of the number, because the low bits pick words.
    if (sent.length > 0 && random() / 2 ** 32 < repeatShare) return sent[(random() >>> 16) % sent.length] as string;
    const tokens = lengths[count % lengths.length] as number;
    count += 1;
    let text = word();
    for (let more = tokens - addedTokens - 1; more > 0; more -= 1) text += ` ${word()}`;
    if (repeatShare > 0 && sent.length < repeatedTexts) sent.push(text);
    return text;
  };
}
