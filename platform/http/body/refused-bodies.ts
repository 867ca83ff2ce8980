import { createGarbageCollection } from "#platform/process/collect-garbage.ts";
import { discardBody } from "./read-bounded-body.ts";

/** Bodies without an announced length, of requests that are refused. */
export interface RefusedBodies {
  /**
   * Reads and forgets the rest of one, so that its client can read why it was refused.
   * @returns false where the rest is unread: the client must be cut off
   */
  discard(body: ReadableStream<Uint8Array>): Promise<boolean>;
}

/** At once: of each a megabyte may lie in memory. */
const mostAtOnce = 16;
const limitMs = 5_000;
/** Bytes that Bun reads from a connection at once, and so holds of a refused body. */
const unreadBytes = 512 * 1024;
const garbageBytes = 32 * 1024 * 1024;

/** @param maxBytes that are read of one */
export function createRefusedBodies(
  maxBytes: number,
  garbage = createGarbageCollection(garbageBytes, () => performance.now()),
): RefusedBodies {
  let reading = 0;
  return {
    async discard(body) {
      garbage.note(unreadBytes);
      if (reading >= mostAtOnce) return false;
      reading += 1;
      try {
        return await discardBody(body, maxBytes, limitMs);
      } finally {
        garbage.note(maxBytes);
        reading -= 1;
      }
    },
  };
}
