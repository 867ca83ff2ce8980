import type { Tokenizer } from "@huggingface/tokenizers";
import type { Part } from "./part.ts";

/** Makes tokens of a piece of text. */
export type Encode = (piece: string) => readonly string[];

interface TrieNode {
  readonly is_leaf: boolean;
  readonly children: ReadonlyMap<string, TrieNode>;
}

/** Vocabulary as the library has read it. */
export interface LibraryModel {
  readonly tokens_to_ids: Map<string, number>;
  readonly vocab: readonly string[];
  readonly trie?: { readonly root: TrieNode };
  unk_token_id: number | undefined;
  unk_token: string | undefined;
  fuse_unk: boolean;
  encode(pieces: readonly string[]): string[];
}

export const libraryModel = (tokenizer: Tokenizer): LibraryModel => tokenizer.model as unknown as LibraryModel;

/** By how much an unknown character is less likely than the least likely token. */
const unknownPenalty = 10;

/** Finds the likeliest tokens of a piece (Viterbi), in time linear in its length. */
function unigram(part: Part, { tokens_to_ids: ids, trie }: LibraryModel): Encode {
  const unknownId = part.take("unk_id");
  const vocabulary = part.take("vocab") as readonly (readonly [string, number])[];
  const bytes = part.boolean("byte_fallback", false);
  if (trie === undefined) throw part.unknownType();
  if (typeof unknownId !== "number" || vocabulary[unknownId] === undefined)
    throw part.refuse("unk_id", "the index of a token", unknownId);
  const scores = vocabulary.map(([, score]) => score);
  const unknown = vocabulary[unknownId][0];
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - unknownPenalty;

  const spellOut = (text: string): readonly string[] => {
    if (ids.has(text)) return [text];
    if (!bytes) return [unknown];
    const names = [...Buffer.from(text)].map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    return names.every((name) => ids.has(name)) ? names : [unknown];
  };

  return (piece) => {
    const characters = Array.from(piece);
    const length = characters.length;
    const best = new Float64Array(length + 1);
    const startOf = new Int32Array(length + 1).fill(-1);
    const isUnknown = new Uint8Array(length + 1);
    const offer = (start: number, end: number, score: number, unknownOne: boolean) => {
      const sum = score + (best[start] as number);
      if (startOf[end] !== -1 && sum <= (best[end] as number)) return;
      best[end] = sum;
      startOf[end] = start;
      isUnknown[end] = unknownOne ? 1 : 0;
    };
    for (let start = 0; start < length; start += 1) {
      let node: TrieNode | undefined = trie.root;
      let token = "";
      let single = false;
      for (let end = start; end < length; end += 1) {
        const character = characters[end] as string;
        node = node.children.get(character);
        if (node === undefined) break;
        token += character;
        if (!node.is_leaf) continue;
        const id = ids.get(token) as number;
        offer(start, end + 1, scores[id] ?? unknownScore, id === unknownId);
        if (end === start) single = true;
      }
      if (!single) offer(start, start + 1, unknownScore, true);
    }
    const tokens: string[] = [];
    let end = length;
    while (end > 0) {
      let start = startOf[end] as number;
      // Unknown characters side by side are one token.
      if (isUnknown[end] === 1) while (start > 0 && isUnknown[start] === 1) start = startOf[start] as number;
      tokens.push(...spellOut(characters.slice(start, end).join("")).toReversed());
      end = start;
    }
    return tokens.reverse();
  };
}

/** Looks pieces up as they are. */
function wordLevel(part: Part, model: LibraryModel): Encode {
  const unknown = unknownToken(part, model);
  part.take("vocab");
  return (piece) => [model.tokens_to_ids.has(piece) ? piece : unknown];
}

function unknownToken(part: Part, model: LibraryModel): string {
  const unknown = part.text("unk_token");
  model.unk_token_id = model.tokens_to_ids.get(unknown);
  model.unk_token = unknown;
  if (model.unk_token_id === undefined) throw part.refuse("unk_token", "a token of the vocabulary", unknown);
  return unknown;
}

/** Type of a model that does not say it, as in older files. */
export function modelTypeOf(definition: { readonly [option: string]: unknown }): string {
  if (typeof definition["type"] === "string") return definition["type"];
  if (Array.isArray(definition["vocab"])) return "Unigram";
  if (definition["merges"] !== undefined) return "BPE";
  return definition["continuing_subword_prefix"] === undefined ? "WordLevel" : "WordPiece";
}

/**
 * Creates the part of a tokenizer that makes tokens of pieces.
 * @throws Error for a model of another type or with options that are not obeyed.
 */
export function createEncode(part: Part, model: LibraryModel): Encode {
  const create = (): Encode => {
    switch (part.type) {
      case "Unigram":
        return unigram(part, model);
      case "WordLevel":
        return wordLevel(part, model);
      case "WordPiece":
        unknownToken(part, model);
        for (const name of ["vocab", "continuing_subword_prefix", "max_input_chars_per_word"]) part.take(name);
        return (piece) => model.encode([piece]);
      case "BPE": {
        for (const name of ["vocab", "merges", "end_of_word_suffix", "ignore_merges", "byte_fallback"]) part.take(name);
        for (const name of ["dropout", "continuing_subword_prefix"]) {
          const value = part.take(name);
          if (value !== undefined && value !== 0 && value !== "") throw part.refuse(name, "none", value);
        }
        const unknown = part.take("unk_token");
        if (unknown !== undefined && !model.tokens_to_ids.has(String(unknown)))
          throw part.refuse("unk_token", "a token of the vocabulary", unknown);
        const fuses = part.boolean("fuse_unk", false);
        return (piece) => {
          const tokens = model.encode([piece]);
          return fuses ? tokens.filter((token, i) => token !== unknown || tokens[i - 1] !== unknown) : tokens;
        };
      }
      default:
        throw part.unknownType();
    }
  };
  const encode = create();
  part.refuseOthers();
  return encode;
}
