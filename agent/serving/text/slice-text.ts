/** Characters of a slice that ends at a word. */
export const sliceCharacters = 1_024;
/** Maximum characters of a slice, at which it is cut even inside a word. */
export const maxSliceCharacters = 2_048;

const isSpace = (code: number) =>
  code === 32 || (code >= 9 && code <= 13) || code === 0x85 || code === 0xa0 || code === 0x3000 || code === 0x2028;

const letterOrDigit = /[\p{L}\p{N}]/u;

/** True where white space begins at `at`: no tokenizer makes one token of what is on both sides. */
function isWordEnd(text: string, at: number, after: "anything" | "letter", before: "space" | "white-space"): boolean {
  const code = text.charCodeAt(at);
  if (before === "space" ? code !== 32 : !isSpace(code)) return false;
  if (isSpace(text.charCodeAt(at - 1))) return false;
  return after === "anything" || letterOrDigit.test(text.charAt(at - 1));
}

/** Moves a cut out of a surrogate pair, half of which would become another token. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0xdc00 && code <= 0xdfff) return at - 1;
  return at;
}

/**
 * Finds the end of a slice that begins at `from`. Best is a space after a word, where tokenizers of all families split themselves. Some take a
 * line break into the token of the punctuation before it, so other white space counts after a letter first, and then after anything.
 * @param usualCharacters of a slice, if a word ends near there
 * @returns the end; `atWordEnd` is false where no word ends near.
 */
export function sliceEnd(
  text: string,
  from: number,
  usualCharacters: number,
): { readonly end: number; readonly atWordEnd: boolean } {
  if (text.length - from <= usualCharacters) return { end: text.length, atWordEnd: true };
  const limit = Math.min(text.length, from + Math.max(usualCharacters, maxSliceCharacters));
  for (const [after, before] of [
    ["anything", "space"],
    ["letter", "white-space"],
    ["anything", "white-space"],
  ] as const) {
    for (let at = from + usualCharacters; at > from + usualCharacters / 4; at -= 1) {
      if (isWordEnd(text, at, after, before)) return { end: at, atWordEnd: true };
    }
    for (let at = from + usualCharacters + 1; at < limit; at += 1) {
      if (isWordEnd(text, at, after, before)) return { end: at, atWordEnd: true };
    }
  }
  if (limit === text.length) return { end: limit, atWordEnd: true };
  return { end: wholeCharacter(text, limit), atWordEnd: false };
}
