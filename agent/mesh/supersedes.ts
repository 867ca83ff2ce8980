import type { Desired } from "#protocol/messages.ts";

/** Clocks of a fleet differ by less, or nothing is made of what they say. */
export const clocksAgreeToMs = 5 * 60_000;
/** Versions count up by one; a store that was lost for years is caught up with by its clock. */
const longestJump = 1_000_000;

/**
 * Says whether a document takes the place of the one that is held. Later by its time, or next by its version: a controller that lost its store
 * counts from one again, one whose clock was set back counts on. What is held never locks out for good what comes later: a document that
 * claims to be of the future binds nobody, and a version far beyond the next one is no version.
 */
export function supersedes(document: Desired, held: Desired | null, nowMs: number): boolean {
  if (held === null) return true;
  if (document.version === held.version && document.issuedAtMs === held.issuedAtMs) return false;
  if (held.issuedAtMs > nowMs + clocksAgreeToMs) return true;
  if (document.issuedAtMs > held.issuedAtMs) return true;
  const jump = document.version - held.version;
  return jump > 0 && jump <= longestJump;
}
