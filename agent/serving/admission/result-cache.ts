import { isPair, type TextInput } from "#agent/serving/text/text-input.ts";

/** The result of a computed text. */
export interface CachedText {
  /** As the model computed it, neither cut nor normalised, so that one entry answers every request for the text. Not to be changed. */
  readonly vector: Float32Array;
  readonly tokens: number;
  /** The text was longer than the model reads. */
  readonly truncated: boolean;
}

/** An entry's objects, its place in the map, the head of its vector (measured: 200 to 300 bytes). */
const overheadBytes = 300;
const maxSharePerEntry = 1 / 16;

/** Key of an input. A text of digits and commas never equals token ids, nor a pair the concatenation of its texts. */
export function resultKey(
  model: { readonly id: string; readonly revision: string },
  input: TextInput,
  {
    everyToken = false,
    truncationSide = "",
  }: { readonly everyToken?: boolean | undefined; readonly truncationSide?: string | undefined } = {},
) {
  const prefix = `${model.id}@${model.revision}${everyToken ? "*" : ""}${truncationSide}`;
  if (typeof input === "string") return `${prefix}\n${input}`;
  return isPair(input) ? `${prefix}&${JSON.stringify([input.first, input.second])}` : `${prefix}#${input.join(",")}`;
}

interface TenantResults {
  /** Least recently used first: a map iterates in the order of insertion. */
  readonly entries: Map<string, CachedText>;
  bytes: number;
}

/** Estimated memory of an entry: two bytes per character of its key, as those beyond Latin-1 need. */
const sizeOf = (key: string, { vector }: CachedText) => 2 * key.length + vector.byteLength + overheadBytes;

/**
 * Vectors of recent texts. A tenant finds only what it asked for itself, so that response times do not reveal what others ask. When memory is
 * short, the tenant that uses the most loses its least recently used entries: none can push out what others keep within their share.
 */
export class ResultCache {
  readonly #maxBytes: number;
  readonly #tenants = new Map<string, TenantResults>();
  #bytes = 0;

  /** @param maxBytes of all tenants together; 0 = keeps nothing */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Finds a tenant's result under a key of {@link resultKey}. */
  get(tenant: string, key: string): CachedText | undefined {
    const entries = this.#tenants.get(tenant)?.entries;
    const found = entries?.get(key);
    if (entries === undefined || found === undefined) return undefined;
    entries.delete(key);
    entries.set(key, found);
    return found;
  }

  /** Keeps a copy, unless it alone would take more than a sixteenth of the memory. */
  put(tenant: string, key: string, text: CachedText): void {
    const size = sizeOf(key, text);
    if (size > this.#maxBytes * maxSharePerEntry) return;
    let results = this.#tenants.get(tenant);
    if (results === undefined) {
      results = { entries: new Map(), bytes: 0 };
      this.#tenants.set(tenant, results);
    }
    const before = results.entries.get(key);
    if (before !== undefined) this.#delete(results, key, before);
    // A copy: the vector may be a part of a whole batch's memory.
    results.entries.set(key, { ...text, vector: text.vector.slice() });
    results.bytes += size;
    this.#bytes += size;
    while (this.#bytes > this.#maxBytes) this.#deleteOldest();
  }

  /** Forgets all that a tenant asked for. Returns the number of texts. */
  forgetTenant(tenant: string): number {
    const results = this.#tenants.get(tenant);
    if (results === undefined) return 0;
    this.#tenants.delete(tenant);
    this.#bytes -= results.bytes;
    return results.entries.size;
  }

  /** Estimated memory, the runtime's overhead included. */
  bytes(): number {
    return this.#bytes;
  }

  #delete(results: TenantResults, key: string, text: CachedText): void {
    results.entries.delete(key);
    const size = sizeOf(key, text);
    results.bytes -= size;
    this.#bytes -= size;
  }

  #deleteOldest(): void {
    let largest: TenantResults | undefined;
    for (const results of this.#tenants.values()) if (results.bytes > (largest?.bytes ?? 0)) largest = results;
    const [oldest] = largest?.entries ?? [];
    if (largest !== undefined && oldest !== undefined) this.#delete(largest, ...oldest);
  }
}
