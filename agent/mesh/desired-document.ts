import { createStoredText } from "#agent/stored-text.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeText } from "#protocol/codec.ts";
import { Desired } from "#protocol/messages.ts";

/** Maximum difference between the clocks of a fleet. */
export const clocksAgreeToMs = 5 * minuteMs;
/** Maximum increase of the version, which normally grows by one; after a longer absence the time decides. */
const maxJump = 1_000_000;

/**
 * Returns true for a document that replaces the held one: later by its time, or next by its version. A controller that lost its store
 * counts from one again, one whose clock was set back counts on. One that lost its lease to another is not heard any more. No held document blocks later ones for good: one from the
 * future is replaced by any other, and a version far beyond the next one does not count.
 */
export function supersedes(document: Desired, held: Desired | null, nowMs: number): boolean {
  if (held === null) return true;
  if (document.version === held.version && document.issuedAtMs === held.issuedAtMs) return false;
  if (held.issuedAtMs > nowMs + clocksAgreeToMs) return true;
  // Whoever leads now has the higher term; it is a time as well, and one from the future is forged.
  const isTermTrue = held.term !== undefined && held.term <= nowMs + clocksAgreeToMs;
  if (isTermTrue && document.term !== undefined && document.term !== held.term) return document.term > (held.term ?? 0);
  if (document.issuedAtMs > held.issuedAtMs) return true;
  const jump = document.version - held.version;
  return jump > 0 && jump <= maxJump;
}

export type DesiredDocument = ReturnType<typeof createDesiredDocument>;

/** Keeps the controller's last document for this agent over restarts, so that a fleet keeps its shape without its controller. */
export function createDesiredDocument(
  database: StateDatabase,
  nowMs: () => number,
  log: Logger,
  storage?: StorageWatch,
  /** True: only documents with an order of the fleet's authority count, and the newest order decides. */
  byOrder = false,
) {
  const stored = createStoredText(database, "desired", storage);
  const text = stored.load();
  let held: Desired | null = null;
  if (text !== null) {
    const decoded = decodeText(Desired, text);
    if (decoded.ok && byOrder && decoded.message.order === undefined)
      log.info("the held desired document is from before this device joined: waiting for one that is signed");
    else if (decoded.ok) held = decoded.message;
    else log.warn({ reason: decoded.reason }, "the stored desired document can't be read; waiting for a new one");
  }
  return {
    current: (): Desired | null => held,
    /** Takes in a document and keeps it on disk. Returns false for one that does not supersede the held one. */
    accept(document: Desired): boolean {
      const isSame = document.version === held?.version && document.issuedAtMs === held.issuedAtMs;
      if (byOrder ? isSame : !supersedes(document, held, nowMs())) return false;
      held = document;
      stored.save(JSON.stringify(document));
      return true;
    },
  };
}
