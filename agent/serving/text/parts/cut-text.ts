/** Usual UTF-16 code units of a part of a text, and the most. */
const usualUnits = 1_024;
export const maxUnits = 2_048;

/**
 * Two characters that no normaliser treats together: the second one is not a mark, a vowel of a Korean syllable or of a grapheme that began
 * before.
 */
const independent =
  /[[^\r\u{1100}-\u{115f}\u{3131}-\u{318e}\u{ffa0}-\u{ffdc}\u{a960}-\u{a97f}\u{200d}\u{600}-\u{605}\u{6dd}\u{70f}\u{890}-\u{891}\u{8e2}\u{110bd}\u{110cd}]--\p{Cs}](?=[[\p{L}\p{N}\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}]--[\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Regional_Indicator}\u{e33}\u{eb3}\u{1160}-\u{11ff}\u{3131}-\u{318e}\u{ffa0}-\u{ffdc}\u{d7b0}-\u{d7ff}\u{200c}\u{200d}\u{16d40}-\u{16d7f}\u{e0000}-\u{e0fff}]])/v;

/**
 * Finds the end of a text's part that begins at `from`: a place where normalising both sides gives what normalising the whole does. In a row of
 * more than a thousand marks there is none, and one is cut off.
 */
export function partEnd(text: string, from: number): number {
  if (text.length - from <= maxUnits) return text.length;
  let begin = from + usualUnits;
  if (/[\udc00-\udfff]/.test(text.charAt(begin))) begin -= 1;
  const window = text.slice(begin, from + maxUnits);
  const found = independent.exec(window);
  const at = found === null ? from + maxUnits : begin + found.index + found[0].length;
  return /[\udc00-\udfff]/.test(text.charAt(at)) ? at - 1 : at;
}

/** Divides a text into parts. The last one, of an empty text too, is marked. */
export function* partsOf(text: string): Generator<readonly [part: string, isLast: boolean]> {
  let from = 0;
  do {
    const end = partEnd(text, from);
    yield [from === 0 && end === text.length ? text : text.slice(from, end), end === text.length];
    from = end;
  } while (from < text.length);
}
