/** Collects garbage where so much comes at once that the runtime would take many times the memory before it collects. */
export interface GarbageCollection {
  /** Counts bytes that are garbage, or soon will be. */
  note(bytes: number): void;
}

/** Minimum time between collections, which stop the process for some 40 ms. */
const pauseMs = 200;

/**
 * @param everyBytes bytes of garbage from one collection to the next
 * @param nowMs a monotonic clock
 */
export function createGarbageCollection(
  everyBytes: number,
  nowMs: () => number,
  // Later, because the caller still refers to the garbage.
  collect: () => void = () => void setImmediate(() => Bun.gc(true)),
): GarbageCollection {
  let bytes = 0;
  let collectedMs = Number.NEGATIVE_INFINITY;
  return {
    note(more) {
      bytes += more;
      if (bytes < everyBytes || nowMs() - collectedMs < pauseMs) return;
      bytes = 0;
      collectedMs = nowMs();
      collect();
    },
  };
}
