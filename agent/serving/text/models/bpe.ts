import type { Part } from "#agent/serving/text/parts/part.ts";
import type { Steps } from "#agent/serving/text/steps.ts";
import { type Merges, SymbolMerger } from "./merge-symbols.ts";
import { PairMap } from "./pair-map.ts";
import { PieceCache, type TokenModel, type TokenSink } from "./token-model.ts";
import { byteToken } from "./unigram.ts";
import { readVocabulary } from "./word-models.ts";

/** Steps of merging between which other work is done: about 1 ms. */
const mergesAtOnce = 4_096;

interface Bpe extends Merges {
  readonly idOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
  /** Pairs of characters that some merge joins: between others a word can be cut. */
  readonly joined: PairMap;
  readonly suffix: string;
  readonly unknownId: number | undefined;
  readonly fusesUnknown: boolean;
  readonly ignoresMerges: boolean;
  readonly bytes: readonly (number | undefined)[] | null;
  readonly maxTokenUnits: number;
}

const firstCode = (text: string): number => text.codePointAt(0) ?? 0;

function lastCode(text: string): number {
  const code = text.codePointAt(text.length - 2) ?? 0;
  return code > 0xffff ? code : text.charCodeAt(text.length - 1);
}

/** Makes symbols of characters, cuts them where no merge can join them, and merges each run. */
class BpeSink implements TokenSink {
  readonly #bpe: Bpe;
  readonly #ids: number[];
  #held = "";
  #whole = true;
  /** The last character, which may get the suffix of a word's end. */
  #last = "";
  #symbols: number[] = [];
  #lastCode = 0;
  #unknowns = false;
  /** Long runs that are still to be merged, and tokens after them. */
  #waiting: (readonly number[])[] = [];

  constructor(bpe: Bpe, ids: number[]) {
    this.#bpe = bpe;
    this.#ids = ids;
  }

  push(text: string, starts: boolean, ends: boolean): void {
    if (starts) {
      this.#held = "";
      this.#whole = true;
    }
    let part = text;
    if (this.#whole && this.#bpe.ignoresMerges) {
      this.#held += text;
      if (!ends && this.#held.length <= this.#bpe.maxTokenUnits) return;
      const known = ends ? this.#bpe.idOf.get(this.#held) : undefined;
      if (known !== undefined) {
        this.pushId(known);
        return;
      }
      part = this.#held;
      this.#held = "";
    }
    this.#whole = false;
    for (const character of part) {
      if (this.#last !== "") this.#addCharacter(this.#last);
      this.#last = character;
    }
    if (!ends) return;
    if (this.#last !== "") this.#addCharacter(this.#last + this.#bpe.suffix);
    this.#last = "";
    this.#flushUnknown();
    this.#endRun();
  }

  pushId(id: number): void {
    if (this.#waiting.length > 0) this.#waiting.push([id]);
    else this.#ids.push(id);
  }

  settle(): Steps<void> | null {
    return this.#waiting.length === 0 ? null : this.#mergeWaiting();
  }

  *#mergeWaiting(): Steps<void> {
    for (const symbols of this.#waiting) {
      const merger = new SymbolMerger(symbols, this.#bpe);
      while (!merger.run(mergesAtOnce)) yield;
      merger.addTo(this.#ids);
    }
    this.#waiting = [];
  }

  #addCharacter(character: string): void {
    const { idOf, bytes, unknownId, fusesUnknown, nameOf } = this.#bpe;
    const id = idOf.get(character);
    if (id !== undefined) {
      this.#flushUnknown();
      this.#addSymbol(id, character);
      return;
    }
    if (bytes !== null) {
      const spelled = Array.from(Buffer.from(character), (byte) => bytes[byte]);
      if (!spelled.includes(undefined)) {
        for (const each of spelled as number[]) this.#addSymbol(each, nameOf.get(each) as string);
        return;
      }
    }
    if (unknownId === undefined) return;
    if (!fusesUnknown) this.#flushUnknown();
    this.#unknowns = true;
  }

  #flushUnknown(): void {
    const { unknownId, nameOf } = this.#bpe;
    if (!this.#unknowns || unknownId === undefined) return;
    this.#unknowns = false;
    this.#addSymbol(unknownId, nameOf.get(unknownId) as string);
  }

  #addSymbol(id: number, name: string): void {
    if (this.#symbols.length > 0 && this.#bpe.joined.get(this.#lastCode, firstCode(name)) < 0) this.#endRun();
    this.#symbols.push(id);
    this.#lastCode = lastCode(name);
  }

  #endRun(): void {
    const symbols = this.#symbols;
    if (symbols.length === 0) return;
    this.#symbols = [];
    if (symbols.length > mergesAtOnce / 4 || this.#waiting.length > 0) {
      this.#waiting.push(symbols);
      return;
    }
    if (symbols.length === 1) {
      this.#ids.push(symbols[0] as number);
      return;
    }
    const merger = new SymbolMerger(symbols, this.#bpe);
    merger.run(Number.POSITIVE_INFINITY);
    merger.addTo(this.#ids);
  }
}

function readMerges(part: Part, idOf: ReadonlyMap<string, number>): Merges & Pick<Bpe, "joined"> {
  const list = part.take("merges");
  if (!Array.isArray(list)) throw part.refuse("merges", "a list of pairs", list);
  const ranks = new PairMap();
  const joined = new PairMap();
  const merged = list.map((entry: unknown, rank) => {
    const pair = typeof entry === "string" ? entry.split(" ") : entry;
    const [first, second] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    const firstId = idOf.get(first);
    const secondId = idOf.get(second);
    const id = idOf.get(first + second);
    if (firstId === undefined || secondId === undefined || id === undefined)
      throw part.refuse(`merges.${rank}`, "two tokens of the vocabulary that together are one too", entry);
    ranks.set(firstId, secondId, rank);
    joined.set(lastCode(first), firstCode(second), 1);
    return id;
  });
  return { ranks, joined, merged };
}

/** Creates a byte-pair encoding. */
export function createBpe(part: Part): TokenModel {
  const idOf = readVocabulary(part);
  for (const name of ["dropout", "continuing_subword_prefix"]) {
    const value = part.take(name);
    if (value !== undefined && value !== 0 && value !== "") throw part.refuse(name, "none", value);
  }
  const unknown = part.take("unk_token");
  const unknownId = unknown === undefined ? undefined : idOf.get(String(unknown));
  if (unknown !== undefined && unknownId === undefined)
    throw part.refuse("unk_token", "a token of the vocabulary", unknown);
  const bpe: Bpe = {
    ...readMerges(part, idOf),
    idOf,
    nameOf: new Map([...idOf].map(([name, id]) => [id, name])),
    suffix: part.text("end_of_word_suffix", ""),
    unknownId,
    fusesUnknown: part.boolean("fuse_unk", false),
    ignoresMerges: part.boolean("ignore_merges", false),
    bytes: part.boolean("byte_fallback", false)
      ? Array.from({ length: 256 }, (_, byte) => idOf.get(byteToken(byte)))
      : null,
    maxTokenUnits: [...idOf.keys()].reduce((max, { length }) => Math.max(max, length), 0),
  };
  const cache = new PieceCache();
  const compute = (piece: string) => {
    const ids: number[] = [];
    new BpeSink(bpe, ids).push(piece, true, true);
    return ids;
  };
  return {
    idOf,
    start(ids): TokenSink {
      const sink = new BpeSink(bpe, ids);
      return {
        push(text, starts, ends) {
          if (starts && ends && text.length <= maxShortPiece && sink.settle() === null) cache.add(text, ids, compute);
          else sink.push(text, starts, ends);
        },
        pushId: (id) => sink.pushId(id),
        settle: () => sink.settle(),
      };
    },
  };
}

/** Length of pieces that are merged at once. */
const maxShortPiece = 256;
