import type { Part } from "#agent/serving/text/parts/part.ts";
import { PieceCache, type TokenModel, wholePieceSink } from "./token-model.ts";

/** Takes a part's `vocab`: the ids of tokens by their names. */
export function readVocabulary(part: Part): ReadonlyMap<string, number> {
  const vocabulary = part.take("vocab");
  const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0;
  if (typeof vocabulary !== "object" || vocabulary === null || Array.isArray(vocabulary))
    throw part.refuse("vocab", "an object of ids by tokens", vocabulary);
  const entries = Object.entries(vocabulary as Record<string, number>);
  const wrong = entries.find(([, id]) => !isId(id));
  if (wrong !== undefined) throw part.refuse("vocab", `a whole number for ${JSON.stringify(wrong[0])}`, wrong[1]);
  return new Map(entries);
}

function takeUnknownId(part: Part, idOf: ReadonlyMap<string, number>): number {
  const unknown = part.text("unk_token");
  const id = idOf.get(unknown);
  if (id === undefined) throw part.refuse("unk_token", "a token of the vocabulary", unknown);
  return id;
}

const longestOf = (names: Iterable<string>): number => {
  let longest = 1;
  for (const { length } of names) longest = Math.max(longest, length);
  return longest;
};

/** Creates a model that looks pieces up as they are. */
export function createWordLevel(part: Part): TokenModel {
  const idOf = readVocabulary(part);
  const unknownId = takeUnknownId(part, idOf);
  const maxUnits = longestOf(idOf.keys());
  return {
    idOf,
    start: (ids) => wholePieceSink(ids, maxUnits, (piece) => void ids.push(idOf.get(piece) ?? unknownId)),
  };
}

/** Creates BERT's model: the longest tokens from a word's beginning on. */
export function createWordPiece(part: Part): TokenModel {
  const idOf = readVocabulary(part);
  const unknown = [takeUnknownId(part, idOf)];
  const prefix = part.text("continuing_subword_prefix", "##");
  const maxCharacters = part.wholeNumber("max_input_chars_per_word", 100);
  const inner = new Map<string, number>();
  for (const [name, id] of idOf) if (name.startsWith(prefix)) inner.set(name.slice(prefix.length), id);
  const longest = longestOf(idOf.keys());

  const compute = (word: string): readonly number[] => {
    if (word.length > maxCharacters && [...word].length > maxCharacters) return unknown;
    const ids: number[] = [];
    let start = 0;
    while (start < word.length) {
      const names = start === 0 ? idOf : inner;
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      while (end > start) {
        id = names.get(word.slice(start, end));
        if (id !== undefined) break;
        end -= 1;
      }
      if (id === undefined) return unknown;
      ids.push(id);
      start = end;
    }
    return ids;
  };
  const cache = new PieceCache();
  return {
    idOf,
    start: (ids) => wholePieceSink(ids, 2 * maxCharacters, (word) => cache.add(word, ids, compute)),
  };
}
