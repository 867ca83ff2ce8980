import { isRefusedValue } from "./postgres-database.ts";

/** Work of one minute that waits for its batch. */
interface Waiting<Item, Result> {
  readonly item: Item;
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Bounds of a batch, so that neither a statement nor the time of a transaction grows without one. */
const maxItems = 500;
const maxBytes = 4 * 1024 * 1024;

/**
 * Commits what came while the transaction before was under way as one transaction: many minutes a second cost a few commits. One that the server
 * refuses for its values fails alone.
 */
export function createBatches<Item, Result>(
  store: (items: readonly Item[]) => Promise<Result[]>,
): (item: Item, bytes: number) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let isStoring = false;

  const takeBatch = () => {
    let bytes = 0;
    let count = 0;
    while (
      count < Math.min(maxItems, waiting.length) &&
      (count === 0 || bytes + (waiting[count]?.bytes ?? 0) <= maxBytes)
    ) {
      bytes += waiting[count]?.bytes ?? 0;
      count += 1;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  };
  const storeBatch = async (batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await store(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length > 1 && isRefusedValue(error)) for (const each of batch) await storeBatch([each]);
      else for (const { reject } of batch) reject(error);
    }
  };
  const work = async () => {
    isStoring = true;
    while (waiting.length > 0) await storeBatch(takeBatch());
    isStoring = false;
  };
  return (item, bytes) => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    waiting.push({ item, bytes, resolve, reject });
    // In the next turn: those that came with this one go with it.
    if (!isStoring) {
      isStoring = true;
      queueMicrotask(() => void work());
    }
    return promise;
  };
}
