/** Where a token stands in its text, in UTF-16 code units; `stop` is the first one behind it. */
export interface TokenPlace {
  readonly start: number;
  readonly stop: number;
}

/** What tokenizers put before a token: WordPiece's continuation, SentencePiece's and byte-level BPE's blank. */
const markers = /^(##|[▁Ġ]+)/;

/** Lower case, without accents, and for each of its characters the place in the text that it came from. */
function fold(text: string): { folded: string; places: number[] } {
  let folded = "";
  const places: number[] = [];
  let at = 0;
  for (const character of text) {
    const plain = character
      .normalize("NFD")
      .replace(/\p{Mn}/gu, "")
      .toLowerCase();
    folded += plain;
    for (let i = 0; i < plain.length; i += 1) places.push(at);
    at += character.length;
  }
  places.push(at);
  return { folded, places };
}

/**
 * Finds tokens in the text they were made of. Tokenizers change a text before they cut it (case, accents, blanks), so each token is
 * looked for behind the one before it, case and accents left aside.
 * @returns one place a token, in order; null for one that does not stand in the text as it is (unknown, a part of a character).
 */
export function locateTokens(text: string, tokens: readonly string[]): (TokenPlace | null)[] {
  const { folded, places } = fold(text);
  let from = 0;
  return tokens.map((token) => {
    const { folded: wanted } = fold(token.replace(markers, ""));
    if (wanted === "") return null;
    const found = folded.indexOf(wanted, from);
    // Behind a gap there may be what could not be placed, but only blanks and that: farther away it is another word.
    if (found < 0 || found - from > 64) return null;
    from = found + wanted.length;
    const start = places[found] as number;
    const last = places[from - 1] as number;
    return { start, stop: last + ((text.codePointAt(last) as number) > 0xffff ? 2 : 1) };
  });
}
