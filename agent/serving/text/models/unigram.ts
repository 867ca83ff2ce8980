import type { Part } from "#agent/serving/text/parts/part.ts";
import { PairMap } from "./pair-map.ts";
import { PieceCache, type TokenModel, type TokenSink } from "./token-model.ts";

/** By how much an unknown character is less likely than the least likely token. */
const unknownPenalty = 10;
/** Characters after which the tokens that are certain are written. */
const commitCharacters = 1_024;

/** Tokens of a vocabulary by their characters. */
class Trie {
  readonly #children = new PairMap();
  readonly #tokens: number[] = [-1];
  maxDepth = 1;

  add(token: string, id: number): void {
    let node = 0;
    let depth = 0;
    for (const character of token) {
      const code = character.codePointAt(0) as number;
      let child = this.#children.get(node, code);
      if (child < 0) {
        child = this.#tokens.length;
        this.#children.set(node, code, child);
        this.#tokens.push(-1);
      }
      node = child;
      depth += 1;
    }
    if (depth === 0) return;
    this.#tokens[node] = id;
    this.maxDepth = Math.max(this.maxDepth, depth);
  }

  child(node: number, code: number): number {
    return this.#children.get(node, code);
  }

  /** Id of the token that ends at a node; -1 for none. */
  token(node: number): number {
    return this.#tokens[node] as number;
  }
}

interface Vocabulary {
  readonly trie: Trie;
  readonly idOf: ReadonlyMap<string, number>;
  readonly scores: Float64Array;
  readonly unknownId: number;
  readonly unknownScore: number;
  /** Tokens of the 256 bytes, for characters that no other token has. */
  readonly bytes: readonly (number | undefined)[] | null;
  /** UTF-16 code units of the longest token. */
  readonly maxUnits: number;
}

/** Finds the likeliest tokens of a piece (Viterbi), in time linear in its length, and writes them as soon as no later character can change them. */
class Lattice {
  readonly #vocabulary: Vocabulary;
  readonly #ids: number[];
  #codes: number[] = [];
  /** By the position after a token, from the first one that is not written yet. */
  #best: number[] = [0];
  #startOf: number[] = [-1];
  #token: number[] = [-1];
  #done = 0;
  /** Unknown characters side by side are one token. */
  #unknown = "";
  #longUnknown = false;

  constructor(vocabulary: Vocabulary, ids: number[]) {
    this.#vocabulary = vocabulary;
    this.#ids = ids;
  }

  push(text: string, ends: boolean): void {
    for (const character of text) {
      this.#codes.push(character.codePointAt(0) as number);
      this.#best.push(0);
      this.#startOf.push(-1);
      this.#token.push(-1);
    }
    const { length } = this.#codes;
    const until = ends ? length : length - this.#vocabulary.trie.maxDepth;
    for (; this.#done < until; this.#done += 1) this.#extend(this.#done);
    if (ends) this.#end();
    else if (this.#done > commitCharacters) this.#commit();
  }

  #extend(start: number): void {
    const { trie, scores, unknownId, unknownScore } = this.#vocabulary;
    let node = 0;
    let single = false;
    for (let end = start; end < this.#codes.length; end += 1) {
      node = trie.child(node, this.#codes[end] as number);
      if (node < 0) break;
      const id = trie.token(node);
      if (id < 0) continue;
      this.#offer(start, end + 1, scores[id] as number, id);
      if (end === start) single = true;
    }
    if (!single) this.#offer(start, start + 1, unknownScore, unknownId);
  }

  #offer(start: number, end: number, score: number, id: number): void {
    const sum = score + (this.#best[start] as number);
    if (this.#startOf[end] !== -1 && sum <= (this.#best[end] as number)) return;
    this.#best[end] = sum;
    this.#startOf[end] = start;
    this.#token[end] = id;
  }

  /** Writes the tokens up to the last position shared by all paths. */
  #commit(): void {
    const ends: number[] = [];
    for (let end = this.#done; end < this.#startOf.length; end += 1) if (this.#startOf[end] !== -1) ends.push(end);
    while (ends.length > 1) {
      const start = this.#startOf[ends.pop() as number] as number;
      let at = ends.length;
      while (at > 0 && (ends[at - 1] as number) > start) at -= 1;
      if (ends[at - 1] !== start) ends.splice(at, 0, start);
    }
    const common = ends[0] as number;
    if (common <= 0) return;
    this.#write(common);
    this.#codes = this.#codes.slice(common);
    this.#best = this.#best.slice(common);
    this.#startOf = this.#startOf.slice(common).map((start) => (start < 0 ? start : start - common));
    this.#startOf[0] = -1;
    this.#token = this.#token.slice(common);
    this.#done -= common;
  }

  #end(): void {
    this.#write(this.#codes.length);
    this.#flushUnknown();
    this.#codes = [];
    this.#best = [0];
    this.#startOf = [-1];
    this.#token = [-1];
    this.#done = 0;
  }

  #write(until: number): void {
    const ends: number[] = [];
    for (let end = until; end > 0; end = this.#startOf[end] as number) ends.push(end);
    let start = 0;
    for (let i = ends.length - 1; i >= 0; i -= 1) {
      const end = ends[i] as number;
      const id = this.#token[end] as number;
      if (id === this.#vocabulary.unknownId) {
        let text = "";
        for (let at = start; at < end; at += 1) text += String.fromCodePoint(this.#codes[at] as number);
        this.#addUnknown(text);
      } else {
        this.#flushUnknown();
        this.#ids.push(id);
      }
      start = end;
    }
  }

  /** Adds to a run of unknown characters; one that is too long for the vocabulary is spelled in bytes as it comes. */
  #addUnknown(text: string): void {
    this.#unknown += text;
    if (this.#unknown.length <= this.#vocabulary.maxUnits) return;
    this.#longUnknown = true;
    const { bytes } = this.#vocabulary;
    if (bytes === null) this.#unknown = "";
    else if (!bytes.includes(undefined)) this.#spell();
  }

  #spell(): void {
    for (const byte of Buffer.from(this.#unknown)) this.#ids.push(this.#vocabulary.bytes?.[byte] as number);
    this.#unknown = "";
  }

  #flushUnknown(): void {
    if (this.#unknown === "" && !this.#longUnknown) return;
    const { idOf, bytes, unknownId } = this.#vocabulary;
    const known = this.#longUnknown ? undefined : idOf.get(this.#unknown);
    if (known !== undefined) this.#ids.push(known);
    else if (bytes !== null && Buffer.from(this.#unknown).every((byte) => bytes[byte] !== undefined)) this.#spell();
    else this.#ids.push(unknownId);
    this.#unknown = "";
    this.#longUnknown = false;
  }
}

/** Name of the token for a byte that no other token has. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/**
 * Reads a score as the reference does, whose JSON reader rounds twice and is off by a last bit at times: equally likely tokenisations are chosen
 * by such bits.
 */
function scoreAsRead(score: number): number {
  const [mantissa = "", exponent = "0"] = Math.abs(score).toString().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const power = Number(exponent) - fraction.length;
  const digits = Number(BigInt(whole + fraction));
  const read = power < 0 ? digits / Number(`1e${-power}`) : digits * Number(`1e${power}`);
  return score < 0 ? -read : read;
}

function readVocabulary(part: Part): Vocabulary {
  const unknownId = part.take("unk_id");
  const vocabulary = part.take("vocab");
  const spells = part.boolean("byte_fallback", false);
  const isEntry = (entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
  if (!Array.isArray(vocabulary) || !vocabulary.every(isEntry))
    throw part.refuse("vocab", "a list of tokens with their scores", vocabulary);
  if (typeof unknownId !== "number" || vocabulary[unknownId] === undefined)
    throw part.refuse("unk_id", "the index of a token", unknownId);
  const idOf = new Map<string, number>(vocabulary.map(([token], id) => [token, id]));
  const trie = new Trie();
  for (const [token, id] of idOf) trie.add(token, id);
  const scores = Float64Array.from(vocabulary, ([, score]) => scoreAsRead(score));
  const least = scores.reduce((min, score) => Math.min(min, score), Number.POSITIVE_INFINITY);
  const maxUnits = vocabulary.reduce((max, [{ length }]) => Math.max(max, length), 0);
  return {
    ...{ trie, idOf, scores, unknownId, maxUnits },
    unknownScore: least - unknownPenalty,
    bytes: spells ? Array.from({ length: 256 }, (_, byte) => idOf.get(byteToken(byte))) : null,
  };
}

/** Creates a model of likely tokens: SentencePiece's Unigram. */
export function createUnigram(part: Part): TokenModel {
  const vocabulary = readVocabulary(part);
  const cache = new PieceCache();
  const compute = (piece: string) => {
    const ids: number[] = [];
    new Lattice(vocabulary, ids).push(piece, true);
    return ids;
  };
  return {
    idOf: vocabulary.idOf,
    start(ids): TokenSink {
      const lattice = new Lattice(vocabulary, ids);
      return {
        push(text, starts, ends) {
          if (starts && ends) cache.add(text, ids, compute);
          else lattice.push(text, ends);
        },
        pushId: (id) => void ids.push(id),
        settle: () => null,
      };
    },
  };
}
