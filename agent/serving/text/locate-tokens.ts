/** Prefixes of token names: WordPiece's continuation mark, SentencePiece's and byte-level BPE's space. */
const markers = /^(##|[▁Ġ]+)/;

/** A text in lower case without accents. */
interface FoldedText {
  readonly folded: string;
  /** Index in the text of each folded character, and of the text's end; null: the same index. */
  readonly places: Uint32Array | null;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const ascii = /^[\u0000-\u007f]*$/;

function fold(text: string): FoldedText {
  if (ascii.test(text)) return { folded: text.toLowerCase(), places: null };
  const parts: string[] = [];
  let places = new Uint32Array(text.length + 64);
  let length = 0;
  let at = 0;
  for (const character of text) {
    const plain =
      character < "\u0080"
        ? character.toLowerCase()
        : character
            .normalize("NFD")
            .replace(/\p{Mn}/gu, "")
            .toLowerCase();
    parts.push(plain);
    if (length + plain.length >= places.length) {
      const larger = new Uint32Array(places.length * 2 + plain.length);
      larger.set(places);
      places = larger;
    }
    for (let i = 0; i < plain.length; i += 1) places[length++] = at;
    at += character.length;
  }
  places[length] = at;
  return { folded: parts.join(""), places };
}

/** Maximum distance to the next token, for white space and tokens that could not be located: beyond it is another word. */
const maxGap = 64;

/**
 * Locates tokens in the text they were made of, one after another. Tokenizers change a text before they split it (case, accents, white space),
 * so each token is searched for after the previous one, ignoring case and accents.
 * @returns a token's position in UTF-16 code units, `stop` being the first one after it; null for one that is not in the text as it is (an unknown token, part of a character).
 */
export function createTokenLocator(text: string): (token: string) => { start: number; stop: number } | null {
  const { folded, places } = fold(text);
  const placeOf = (index: number) => (places === null ? index : (places[index] as number));
  let from = 0;
  return (token) => {
    const { folded: wanted } = fold(token.replace(markers, ""));
    if (wanted === "") return null;
    const gap = folded.slice(from, from + maxGap + wanted.length).indexOf(wanted);
    if (gap < 0) return null;
    const start = placeOf(from + gap);
    from += gap + wanted.length;
    const last = placeOf(from - 1);
    return { start, stop: last + ((text.codePointAt(last) as number) > 0xffff ? 2 : 1) };
  };
}
