/** SentencePiece's map of characters to normalised ones: a double-array trie of UTF-8 bytes, and the texts that its values point into. */
class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Buffer;

  /** @throws Error for bytes that are no such map. */
  constructor(base64: string) {
    const bytes = Buffer.from(base64, "base64");
    const trieBytes = bytes.length < 4 ? Number.NaN : bytes.readUInt32LE(0);
    if (!(trieBytes % 4 === 0 && trieBytes > 0 && 4 + trieBytes <= bytes.length))
      throw new Error("normalizer.precompiled_charsmap: expected SentencePiece's map of characters, got another text");
    this.#units = new Uint32Array(trieBytes / 4);
    for (let i = 0; i < this.#units.length; i += 1) this.#units[i] = bytes.readUInt32LE(4 + i * 4);
    this.#texts = bytes.subarray(4 + trieBytes);
  }

  /** Returns the text for the shortest beginning of the key that is in the map; null for none. */
  find(key: string): string | null {
    let at = this.#offset(this.#unit(0));
    for (const byte of Buffer.from(key)) {
      if (byte === 0) return null;
      at ^= byte;
      const unit = this.#unit(at);
      if ((unit & 0x800000ff) >>> 0 !== byte) return null;
      at ^= this.#offset(unit);
      if (((unit >>> 8) & 1) === 1) {
        const start = this.#unit(at) & 0x7fffffff;
        const end = this.#texts.indexOf(0, start);
        return this.#texts.toString("utf8", start, end < 0 ? this.#texts.length : end);
      }
    }
    return null;
  }

  #unit(at: number): number {
    return this.#units[at] ?? 0;
  }

  #offset(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }
}

/** Characters that are graphemes by themselves beside each other. */
const simple =
  /^[ -~\u00a0-\u02ff\u0370-\u0482\u048a-\u058f\u05d0-\u05ea\u2010-\u2027\u3001-\u3029\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fff]*$/;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Bytes from which on a grapheme is not looked up as a whole. */
const maxWholeBytes = 6;
const maxRemembered = 20_000;

/**
 * Creates the normaliser of a charsmap, as Hugging Face's tokenizers apply it: a short grapheme as a whole by its shortest beginning in the
 * map, which may drop its marks, a long one character by character. SentencePiece itself keeps the marks; the models' own pipelines
 * (sentence-transformers) use the former.
 * @throws Error for a text that is no charsmap.
 */
export function createCharsmap(base64: string): (text: string) => string {
  if (base64 === "") return (text) => text;
  const map = new Charsmap(base64);
  const known = new Map<string, string>();
  const find = (grapheme: string): string => {
    const whole = Buffer.byteLength(grapheme) < maxWholeBytes ? map.find(grapheme) : null;
    if (whole !== null) return whole;
    let result = "";
    for (const character of grapheme) result += map.find(character) ?? character;
    return result;
  };
  const normalizeOne = (grapheme: string): string => {
    const remembered = known.get(grapheme);
    if (remembered !== undefined) return remembered;
    const normalized = find(grapheme);
    if (known.size < maxRemembered) known.set(grapheme, normalized);
    return normalized;
  };
  return (text) => {
    let result = "";
    if (simple.test(text)) for (const character of text) result += normalizeOne(character);
    else for (const { segment } of graphemes.segment(text)) result += normalizeOne(segment);
    return result;
  };
}
