import type { ReadText } from "./read-text.ts";
import type { Steps } from "./steps.ts";

/** Characters of a text's end that are read first, for each token that is kept. */
const charactersPerToken = 16;
/** Tokens at the beginning of a part that are not relied on: the text before it may make them others. */
const unsureTokens = 100;
/** Length of a word within which a part may not begin: its tokens may depend on each other. */
const shortWord = 64;

/** Finds a blank at or before `at` with a short word after it; 0 where there is none. */
function partStart(text: string, at: number): number {
  for (let from = at; from > 0; from = text.lastIndexOf(" ", from - 1)) {
    const next = text.indexOf(" ", from + 1);
    if (text[from] === " " && next > from + 1 && next - from <= shortWord) return from;
  }
  return 0;
}

/**
 * Reads the end of a text, without its beginning where that is not needed: as much as makes `maxTokens` tokens whatever stands before.
 * @param readAll reads all tokens of a part
 */
export function* readEnd(text: string, maxTokens: number, readAll: (part: string) => Steps<ReadText>): Steps<ReadText> {
  for (let characters = Math.max(2_048, charactersPerToken * maxTokens); ; characters *= 4) {
    const from = partStart(text, Math.max(0, text.length - characters));
    const { ids } = yield* readAll(text.slice(from));
    if (from === 0) return { ids, whole: ids.length <= maxTokens };
    if (ids.length >= maxTokens + unsureTokens) return { ids, whole: false };
  }
}
