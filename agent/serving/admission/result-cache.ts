import { isPair, type TextInput } from "#agent/serving/text/text-input.ts";

/** What is kept of a text that was computed. */
export interface CachedText {
  /** As the model gave it: neither cut nor normalised, so that one entry answers every request for the text. Not to be changed. */
  readonly vector: Float32Array;
  readonly tokens: number;
  /** Whether the text was longer than the model reads. */
  readonly truncated: boolean;
}

/**
 * The vectors of texts that were asked for before. A tenant finds only what it asked for itself: how soon an answer comes must not tell
 * what others ask. Where memory is short, the one that has most of it gives its least recently used up: nobody can push out what others
 * keep within their share.
 */
export interface ResultCache {
  /** Cached result of a tenant under a key of {@link resultKey}; undefined when there is none. */
  get(tenant: string, key: string): CachedText | undefined;
  /** Keeps a copy, unless it alone would take more than a sixteenth of the room. */
  put(tenant: string, key: string, text: CachedText): void;
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

interface TenantResults {
  /** In the order of their last use: a map iterates in the order of insertion. */
  readonly entries: Map<string, CachedText>;
  bytes: number;
}

/** @param maxBytes of all tenants together; 0 = keeps nothing */
export function createResultCache(maxBytes: number): ResultCache {
  const tenants = new Map<string, TenantResults>();
  let bytes = 0;
  // Two bytes a character, as those beyond Latin-1 need.
  const sizeOf = (key: string, { vector }: CachedText) => 2 * key.length + vector.byteLength + overheadBytes;

  const forget = (results: TenantResults, key: string, text: CachedText) => {
    results.entries.delete(key);
    const size = sizeOf(key, text);
    results.bytes -= size;
    bytes -= size;
  };

  const forgetOldest = () => {
    let largest: TenantResults | undefined;
    for (const results of tenants.values()) if (results.bytes > (largest?.bytes ?? 0)) largest = results;
    const [oldest] = largest?.entries ?? [];
    if (largest !== undefined && oldest !== undefined) forget(largest, ...oldest);
  };

  return {
    get(tenant, key) {
      const entries = tenants.get(tenant)?.entries;
      const found = entries?.get(key);
      if (entries === undefined || found === undefined) return undefined;
      entries.delete(key);
      entries.set(key, found);
      return found;
    },
    put(tenant, key, text) {
      const size = sizeOf(key, text);
      if (size > maxBytes * mostSharePerEntry) return;
      let results = tenants.get(tenant);
      if (results === undefined) {
        results = { entries: new Map(), bytes: 0 };
        tenants.set(tenant, results);
      }
      const before = results.entries.get(key);
      if (before !== undefined) forget(results, key, before);
      // A copy: the vector may be a part of a whole batch's memory.
      results.entries.set(key, { ...text, vector: text.vector.slice() });
      results.bytes += size;
      bytes += size;
      while (bytes > maxBytes) forgetOldest();
    },
    bytes: () => bytes,
  };
}
