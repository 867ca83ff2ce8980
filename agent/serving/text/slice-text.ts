/** Characters of a slice, where a place to cut is near. */
export const sliceCharacters = 1_024;
/** A slice is cut here even where that is inside a word: no text is worked through in one go. */
export const maxSliceCharacters = 2_048;

const isSpace = (code: number) =>
  code === 32 || (code >= 9 && code <= 13) || code === 0x85 || code === 0xa0 || code === 0x3000 || code === 0x2028;

const letterOrDigit = /[\p{L}\p{N}]/u;

/** Says whether white space begins at `at`, behind something else: no tokenizer makes one token of what is on both sides. */
function isWordEnd(text: string, at: number, after: "anything" | "letter", before: "blank" | "space"): boolean {
  const code = text.charCodeAt(at);
  if (before === "blank" ? code !== 32 : !isSpace(code)) return false;
  if (isSpace(text.charCodeAt(at - 1))) return false;
  return after === "anything" || letterOrDigit.test(text.charAt(at - 1));
}

/** Half a surrogate pair, or a mark without its letter, would become another token. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0xdc00 && code <= 0xdfff) return at - 1;
  return at;
}

/**
 * Finds the end of a slice that begins at `from`. Best is a blank behind a word: tokenizers of all families cut there themselves. Behind punctuation
 * some take a line break into its token, so other white space counts behind a letter first and then behind anything.
 * @param most characters of a slice where a place to cut is near
 * @returns the end, and whether it is such a place
 */
export function sliceEnd(
  text: string,
  from: number,
  most: number,
): { readonly end: number; readonly atWordEnd: boolean } {
  if (text.length - from <= most) return { end: text.length, atWordEnd: true };
  const limit = Math.min(text.length, from + Math.max(most, maxSliceCharacters));
  for (const [after, before] of [
    ["anything", "blank"],
    ["letter", "space"],
    ["anything", "space"],
  ] as const) {
    for (let at = from + most; at > from + most / 4; at -= 1) {
      if (isWordEnd(text, at, after, before)) return { end: at, atWordEnd: true };
    }
    for (let at = from + most + 1; at < limit; at += 1) {
      if (isWordEnd(text, at, after, before)) return { end: at, atWordEnd: true };
    }
  }
  if (limit === text.length) return { end: limit, atWordEnd: true };
  return { end: wholeCharacter(text, limit), atWordEnd: false };
}
