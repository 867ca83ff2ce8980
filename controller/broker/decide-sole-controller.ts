import type { ControllerState } from "#protocol/messages.ts";

/** Which of two controllers goes on at a broker they share. */
export type SoleController =
  | { readonly kind: "alone" }
  /** The other one says that it was here first. Anybody could have said so, or said it long ago: it is asked. */
  | { readonly kind: "ask"; readonly reason: string }
  /** The other one was here first, and answers: this one has to stand by. */
  | { readonly kind: "yield"; readonly reason: string }
  /** This one was here first: it says again that it is here, and the other goes. */
  | { readonly kind: "insist"; readonly reason: string };

export interface Claim extends Pick<ControllerState, "instanceId" | "status" | "sinceMs"> {
  /** It repeats the question that this controller has asked a moment ago. */
  readonly answersUs: boolean;
}

/** No controller runs for longer without a restart; clocks that were never set say 1970. */
const longestRunMs = 10 * 366 * 86_400_000;

/** Judges a word of a controller on the fleet's topic. Whoever acts for longer stays; of a tie the smaller id. */
export function decideSoleController(
  own: { readonly instanceId: string; readonly sinceMs: number },
  other: Claim,
  nowMs: number,
): SoleController {
  if (other.instanceId === own.instanceId) return { kind: "alone" };
  const who = `another controller (${other.instanceId}) acts for this fleet at the same broker, with a store of its own`;
  if (other.status === "offline") {
    return { kind: "insist", reason: "another controller announced that this fleet has none" };
  }
  const { sinceMs } = other;
  if (sinceMs === undefined || sinceMs < nowMs - longestRunMs)
    return { kind: "insist", reason: `${who}, but gives no credible start time` };
  const isFirst = own.sinceMs < sinceMs || (own.sinceMs === sinceMs && own.instanceId < other.instanceId);
  if (isFirst) return { kind: "insist", reason: `${who}; it started later and has to yield` };
  return other.answersUs ? { kind: "yield", reason: who } : { kind: "ask", reason: `${who}, but has not confirmed it` };
}
