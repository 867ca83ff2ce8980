import { createStoredText } from "#agent/stored-text.ts";
import type { Logger } from "#platform/log.ts";
import type { StateDatabase } from "#platform/open-database.ts";
import type { StorageWatch } from "#platform/storage-watch.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { Desired } from "#protocol/messages.ts";

export interface DesiredDocument {
  current(): Desired | null;
  /** Takes in a document and keeps it on disk; false when it is not newer than the one that is held. */
  accept(document: Desired): boolean;
}

const documentName = "desired";

/** The controller's last document for this agent; survives restarts, so that a fleet keeps its shape without its controller. */
export function createDesiredDocument(database: StateDatabase, log: Logger, storage?: StorageWatch): DesiredDocument {
  const stored = createStoredText(database, documentName, storage);
  const content = stored.load();
  let held: Desired | null = null;
  if (content !== null) {
    const decoded = decodeMessage(Desired, new TextEncoder().encode(content));
    if (decoded.ok) held = decoded.message;
    else log.warn({ reason: decoded.reason }, "the stored desired document can't be read; waiting for a new one");
  }
  return {
    current: () => held,
    accept(document) {
      // A controller that lost its store counts versions from one again, but its clock goes on.
      const newer = held === null || document.version > held.version || document.issuedAtMs > held.issuedAtMs;
      if (!newer) return false;
      held = document;
      stored.save(JSON.stringify(document));
      return true;
    },
  };
}
