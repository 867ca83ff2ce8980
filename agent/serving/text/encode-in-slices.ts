import type { Tokenizer } from "@huggingface/tokenizers";
import { maxSliceCharacters, sliceCharacters, sliceEnd } from "./slice-text.ts";
import { stripEnds } from "./strip-ends.ts";

/** A long computation in steps, so that its caller can do other work between them. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs all steps at once. */
export function finishSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Tokens of a text, without special ones. */
export interface ReadText {
  readonly ids: readonly number[];
  /** The text has no more tokens than the maximum asked for. */
  readonly whole: boolean;
}

/** A word of more than 100 characters becomes one unknown token, so a word cut in two reaches at most this far back. */
const maxTokensOfOneWord = 100;

/** A text with most of the character classes that tokenizers treat differently. */
const sample =
  "The robot's arm (v2.0) can't reach 机器人, naïve café; 1234567890 words\tand lines.\n  It stops … ½ of 10% — OK? x_y";

/** Encodes texts slice by slice, so that a long one does not block the process. */
export class SliceEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #unknownId: number | undefined;
  readonly #lowercase: boolean;
  readonly #shortenWords: (text: string) => string;
  readonly #sliceCharacters: number;

  constructor(
    tokenizer: Tokenizer,
    options: { readonly unknownToken: string; readonly lowercase: boolean; shortenWords(text: string): string },
  ) {
    const { unknownToken, lowercase, shortenWords } = options;
    this.#tokenizer = tokenizer;
    this.#unknownId = tokenizer.token_to_id(unknownToken);
    this.#lowercase = lowercase;
    this.#shortenWords = shortenWords;
    // Tokenizers that change a text as a whole make other tokens of slices: they get the largest.
    const sliced = finishSteps(this.#encode(sample, 16, Number.POSITIVE_INFINITY)).ids;
    const sameInSlices = sliced.join() === this.#encodeSlice(sample).join();
    this.#sliceCharacters = sameInSlices ? sliceCharacters : maxSliceCharacters;
  }

  /** Reads a text, trimmed: all tokens of a short one, at least `maxTokens` of a long one and perhaps a few more. */
  *read(text: string, maxTokens: number): Steps<ReadText> {
    const { ids, all } = yield* this.#encode(
      this.#shortenWords(this.#lower(stripEnds(text))),
      this.#sliceCharacters,
      maxTokens,
    );
    return { ids, whole: all && ids.length <= maxTokens };
  }

  /** Reads all tokens of a text, however long it is. */
  *readAll(text: string): Steps<readonly number[]> {
    return (yield* this.#encode(this.#lower(text), this.#sliceCharacters, Number.POSITIVE_INFINITY)).ids;
  }

  #lower(text: string): string {
    return this.#lowercase ? text.toLowerCase() : text;
  }

  #encodeSlice(text: string): readonly number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  *#encode(text: string, slice: number, maxTokens: number): Steps<{ ids: number[]; all: boolean }> {
    const ids: number[] = [];
    let from = 0;
    let inWord = false;
    do {
      const { end, atWordEnd } = sliceEnd(text, from, slice);
      const more = this.#encodeSlice(from === 0 && end === text.length ? text : text.slice(from, end));
      // Parts of a word that is too long to be one are one unknown token together.
      const repeated =
        inWord && this.#unknownId !== undefined && more[0] === this.#unknownId && ids.at(-1) === this.#unknownId;
      for (let i = repeated ? 1 : 0; i < more.length; i += 1) ids.push(more[i] as number);
      from = end;
      inWord = !atWordEnd;
      if (from < text.length && ids.length > maxTokens + maxTokensOfOneWord) return { ids, all: false };
      if (from < text.length) yield;
    } while (from < text.length);
    return { ids, all: true };
  }
}
