import type { ControllerState } from "#protocol/messages.ts";

/** Which of two controllers goes on at a broker they share. */
export type SoleController =
  | { readonly kind: "alone" }
  /** The other one was here first, or can't be asked: this one has to go. */
  | { readonly kind: "yield"; readonly reason: string }
  /** This one was here first: it says again that it is here, and the other goes. */
  | { readonly kind: "insist"; readonly reason: string };

type Claim = Pick<ControllerState, "instanceId" | "status" | "sinceMs">;

/** What a word of a controller on the fleet's topic means for this one. Whoever acts for longer stays; of a tie the smaller id. */
export function decideSoleController(own: Required<Omit<Claim, "status">>, other: Claim): SoleController {
  if (other.instanceId === own.instanceId) return { kind: "alone" };
  const who = `another controller (${other.instanceId}) acts for this fleet at the same broker, with a store of its own`;
  if (other.status === "offline") {
    return { kind: "insist", reason: "another controller took leave of this fleet at the same broker" };
  }
  // An earlier version can't tell, and would never yield.
  if (other.sinceMs === undefined) return { kind: "yield", reason: `${who}, of a version that does not yield` };
  const isFirst = own.sinceMs < other.sinceMs || (own.sinceMs === other.sinceMs && own.instanceId < other.instanceId);
  return isFirst ? { kind: "insist", reason: `${who}; it came later and is to yield` } : { kind: "yield", reason: who };
}
