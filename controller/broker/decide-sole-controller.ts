import { dayMs } from "#platform/time.ts";
import type { ControllerState } from "#protocol/messages.ts";

/** Decision which of two controllers acts at a broker that they share. */
export interface SoleController {
  /** alone: no other one; ask: probe the other; insist: repeat that this one acts; yield: stand by. */
  readonly kind: "alone" | "ask" | "insist" | "yield";
  readonly rule:
    | "own-message"
    /** The other one says that the fleet has no controller. */
    | "says-offline"
    | "no-credible-start"
    | "started-later"
    /** It says that it was first, which may be forged or old. */
    | "not-confirmed"
    /** It was first, and answers this controller's probe. */
    | "confirmed";
  /** Instance of the other one. */
  readonly other: string;
}

export interface Claim extends Pick<ControllerState, "instanceId" | "status" | "sinceMs"> {
  /** True when it repeats the nonce of this controller's open probe. */
  readonly answersUs: boolean;
}

/** Maximum time that a controller runs without a restart; clocks that were never set say 1970. */
const maxRunMs = 10 * 366 * dayMs;

/** Judges another controller's state on the fleet's topic. The controller that acts for longer stays; of a tie the smaller id. */
export function decideSoleController(
  own: { readonly instanceId: string; readonly sinceMs: number },
  { instanceId: other, status, sinceMs, answersUs }: Claim,
  nowMs: number,
): SoleController {
  if (other === own.instanceId) return { kind: "alone", rule: "own-message", other };
  if (status === "offline") return { kind: "insist", rule: "says-offline", other };
  if (sinceMs === undefined || sinceMs < nowMs - maxRunMs) return { kind: "insist", rule: "no-credible-start", other };
  // mutate: equivalent because equal ids returned above
  const isFirst = own.sinceMs < sinceMs || (own.sinceMs === sinceMs && own.instanceId < other);
  if (isFirst) return { kind: "insist", rule: "started-later", other };
  return answersUs ? { kind: "yield", rule: "confirmed", other } : { kind: "ask", rule: "not-confirmed", other };
}
