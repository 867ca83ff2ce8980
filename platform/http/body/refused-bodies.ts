import { createGarbageCollection } from "#platform/process/collect-garbage.ts";
import { discardBody } from "./read-bounded-body.ts";

/** Limit of bodies discarded at once, each with up to a megabyte in memory. */
const maxAtOnce = 16;
const limitMs = 5_000;
/** Bytes that Bun reads from a connection at once, and so keeps of a refused body. */
const unreadBytes = 512 * 1024;
const garbageBytes = 32 * 1024 * 1024;

/** Handles bodies without an announced length, of requests that are refused. @param maxBytes maximum number of bytes read */
export function createRefusedBodies(
  maxBytes: number,
  garbage = createGarbageCollection(garbageBytes, () => performance.now()),
) {
  let reading = 0;
  return {
    /**
     * Reads and discards the rest of a body, so that its client can read the error.
     * @returns false where some is left unread: the client must be cut off
     */
    async discard(body: ReadableStream<Uint8Array>): Promise<boolean> {
      garbage.note(unreadBytes);
      if (reading >= maxAtOnce) return false;
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
