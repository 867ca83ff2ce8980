import { createStoredText } from "#agent/stored-text.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import type { Logger } from "#platform/log.ts";
import { decodeText } from "#protocol/codec.ts";
import { Desired } from "#protocol/messages.ts";
import { supersedes } from "./supersedes.ts";

export interface DesiredDocument {
  current(): Desired | null;
  /** Takes in a document and keeps it on disk; false when it is not newer than the one that is held. */
  accept(document: Desired): boolean;
}

/** The controller's last document for this agent; survives restarts, so that a fleet keeps its shape without its controller. */
export function createDesiredDocument(
  database: StateDatabase,
  nowMs: () => number,
  log: Logger,
  storage?: StorageWatch,
): DesiredDocument {
  const stored = createStoredText(database, "desired", storage);
  const text = stored.load();
  let held: Desired | null = null;
  if (text !== null) {
    const decoded = decodeText(Desired, text);
    if (decoded.ok) held = decoded.message;
    else log.warn({ reason: decoded.reason }, "the stored desired document can't be read; waiting for a new one");
  }
  return {
    current: () => held,
    accept(document) {
      if (!supersedes(document, held, nowMs())) return false;
      held = document;
      stored.save(JSON.stringify(document));
      return true;
    },
  };
}
