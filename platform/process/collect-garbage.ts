/** Collects the memory of what was thrown away, where so much comes at once that the runtime would take many times as much before it looks. */
export interface GarbageCollection {
  /** Takes note of bytes that were, or soon are, thrown away. */
  note(bytes: number): void;
}

/** A collection stops the process for some 40 ms: never more often than this. */
const pauseMs = 200;

/**
 * @param everyBytes that are thrown away, in between
 * @param nowMs of a clock that only goes forward
 */
export function createGarbageCollection(
  everyBytes: number,
  nowMs: () => number,
  // Not inside the handling of what is thrown away, which still holds it.
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
