import { join } from "node:path";

/** Texts in 20 scripts that a seed determines. scripts/fixtures/multilingual_texts.py makes the same ones: what is changed here is changed there too. */

type Ranges = readonly (readonly [number, number])[];

interface Script {
  readonly ranges: Ranges;
  readonly sentences: readonly string[];
  readonly words: readonly string[];
}

const data = (await Bun.file(join(import.meta.dir, "../../test/fixtures/tokenizers/scripts.json")).json()) as {
  readonly scripts: readonly { readonly letters: readonly string[]; readonly sentences: readonly string[] }[];
} & Readonly<Record<"blanks" | "marks" | "signs" | "tokens", readonly string[]>>;

const scripts: readonly Script[] = data.scripts.map(({ letters, sentences }) => ({
  ranges: letters.map((pair) => {
    const [first, , last] = [...pair];
    return [first?.codePointAt(0) ?? 0, last?.codePointAt(0) ?? 0] as const;
  }),
  sentences,
  words: sentences.flatMap((sentence) => sentence.split(" ")),
}));
const usualPlanes: Ranges = [
  [0x20, 0x2ff],
  [0x300, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x1ffff],
  [0x20000, 0x2ffff],
  [0xe0000, 0xe01ff],
  [0x10ff00, 0x10ffff],
];

class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed % 2 ** 32;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#state >>> 8) % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  code(ranges: Ranges): string {
    const [first, last] = this.of(ranges);
    return String.fromCodePoint(first + this.below(last - first + 1));
  }
}

function times(count: number, make: () => string): string {
  let text = "";
  for (let i = 0; i < count; i += 1) text += make();
  return text;
}

const letters = (random: Random, { ranges }: Script, count: number): string => times(count, () => random.code(ranges));

const words = (random: Random, script: Script, count: number): string =>
  times(count, () => {
    const word = random.below(3) > 0 ? random.of(script.words) : letters(random, script, 1 + random.below(9));
    return word + (random.below(4) > 0 ? " " : random.of(data.blanks));
  });

const decorated = (random: Random, script: Script, count: number): string =>
  times(count, () => {
    const kind = random.below(5);
    if (kind === 0) return random.of(data.signs);
    if (kind === 1) return random.of(data.blanks);
    const own = letters(random, script, 1 + random.below(3));
    return own + times(random.below(4), () => random.of(data.marks));
  });

function repeated(random: Random, script: Script): string {
  const unit = random.below(3) === 0 ? random.of(data.signs) : letters(random, script, 1 + random.below(3));
  const word = random.of(script.words);
  const repetitions = 1 + Math.floor(random.below(3_000) / (unit.length * 2)) * 2;
  return word + unit.repeat(repetitions) + random.of(data.signs);
}

function blank(random: Random, script: Script): string {
  const runs = times(1 + random.below(4), () => {
    const word = random.of(script.words);
    const blanks = random.of(data.blanks);
    return word + blanks.repeat(1 + random.below(1_500)) + random.of(data.blanks);
  });
  return runs + random.of(script.words);
}

function marked(random: Random, script: Script): string {
  const all = times(1 + random.below(5), () => {
    const before = words(random, script, random.below(5));
    return before + random.of(data.tokens) + random.of(["", " ", "  ", "\n"]);
  });
  return all + words(random, script, random.below(3));
}

/** Makes one text: an index has its script and its kind (sentences, words, letters, long words, runs, marks, blanks, added tokens …). */
export function textOf(seed: number, index: number): string {
  const random = new Random(seed * 1_000_003 + index * 7_919);
  random.below(2);
  const script = scripts[index % scripts.length] as Script;
  switch (Math.floor(index / scripts.length) % 12) {
    case 0:
      return random.of(script.sentences);
    case 1:
      return words(random, script, 1 + random.below(30));
    case 2:
      return letters(random, script, 1 + random.below(60));
    case 3:
      return letters(random, script, 2_100 + random.below(2_500));
    case 4:
      return repeated(random, script);
    case 5:
      return decorated(random, script, 1 + random.below(40));
    case 6:
      return times(1 + random.below(50), () => random.code(usualPlanes));
    case 7:
      return times(1 + random.below(8), () => words(random, random.of(scripts), 1 + random.below(4)));
    case 8:
      return blank(random, script);
    case 9:
      return marked(random, script);
    case 10:
      return times(30 + random.below(60), () => random.of(script.sentences));
    default:
      return decorated(random, script, 600 + random.below(900));
  }
}

/** Characters of a hash of a text's ids. */
export const hashLength = 4;

export const hashOf = (ids: ArrayLike<number>): string =>
  new Bun.CryptoHasher("md5").update(Array.from(ids).join()).digest("hex").slice(0, hashLength);
