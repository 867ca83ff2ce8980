import { isPair, type TextInput } from "./text-input.ts";

/** What is kept of a text that was computed. */
export interface CachedText {
  /** As the model gave it: neither cut nor normalised, so that one entry answers every request for the text. Not to be changed. */
  readonly vector: Float32Array;
  readonly tokens: number;
  /** Whether the text was longer than the model reads. */
  readonly truncated: boolean;
}

/** The vectors of texts that were asked for before, the least recently used forgotten first. */
export interface ResultCache {
  /** What is kept under a key of {@link resultKey}; undefined when nothing is. */
  get(key: string): CachedText | undefined;
  /** Keeps a copy, unless it alone would take more than a sixteenth of the room. */
  put(key: string, text: CachedText): void;
  /** Estimated, with what the runtime needs around an entry. */
  bytes(): number;
}

/** An entry's objects, its place in the map, the head of its vector (measured: 200 to 300 bytes). */
const overheadBytes = 300;
const mostSharePerEntry = 1 / 16;

/** @param input a text of digits and commas is another key than such token ids, and a pair another than both its texts in one */
export function resultKey(model: { readonly id: string; readonly revision: string }, input: TextInput) {
  const prefix = `${model.id}@${model.revision}`;
  if (typeof input === "string") return `${prefix}\n${input}`;
  return isPair(input) ? `${prefix}&${JSON.stringify([input.first, input.second])}` : `${prefix}#${input.join(",")}`;
}

/** @param maxBytes 0 = keeps nothing */
export function createResultCache(maxBytes: number): ResultCache {
  /** In the order of their last use: a map iterates in the order of insertion. */
  const entries = new Map<string, CachedText>();
  let bytes = 0;
  // Two bytes a character, as those beyond Latin-1 need.
  const sizeOf = (key: string, { vector }: CachedText) => 2 * key.length + vector.byteLength + overheadBytes;

  const forget = (key: string, text: CachedText) => {
    entries.delete(key);
    bytes -= sizeOf(key, text);
  };

  return {
    get(key) {
      const found = entries.get(key);
      if (found === undefined) return undefined;
      entries.delete(key);
      entries.set(key, found);
      return found;
    },
    put(key, text) {
      const size = sizeOf(key, text);
      if (size > maxBytes * mostSharePerEntry) return;
      const before = entries.get(key);
      if (before !== undefined) forget(key, before);
      // A copy: the vector may be a part of a whole batch's memory.
      entries.set(key, { ...text, vector: text.vector.slice() });
      bytes += size;
      for (const [oldest, oldestText] of entries) {
        if (bytes <= maxBytes) break;
        forget(oldest, oldestText);
      }
    },
    bytes: () => bytes,
  };
}
