import { minuteMs } from "#platform/time.ts";
import type { Device, StoredJoinToken } from "../store/store.ts";

export interface JoinInputs {
  /** The token that proved itself; null: none of this fleet did. */
  readonly token: Pick<
    StoredJoinToken,
    "id" | "isApproved" | "usesLeft" | "createdMs" | "expiresMs" | "revokedMs"
  > | null;
  /** Device of the agent's id; null: none is known. */
  readonly known: Pick<Device, "state" | "keyHash" | "tokenId" | "sinceMs" | "notAfterMs"> | null;
  /** Hash of the key that asks. */
  readonly keyHash: string;
  readonly nowMs: number;
}

export type JoinRule =
  /** The same key asks again with the same token: it gets the same answer, however often the power fails. */
  | "repeated"
  | "still-pending"
  | "joins"
  | "has-to-be-approved"
  | "token-unknown"
  | "token-revoked"
  | "token-expired"
  | "token-used-up"
  | "token-not-yet-valid"
  | "id-in-use"
  | "device-revoked";

/** Maximum difference between this controller's clock and that of the one that made the token. */
const clocksAgreeToMs = 5 * minuteMs;

/** Decides whether a device joins under an id with a token. */
export function decideJoin({ token, known, keyHash, nowMs }: JoinInputs): JoinRule {
  if (token === null) return "token-unknown";
  const isSame = known !== null && known.keyHash === keyHash && known.tokenId === token.id;
  const isValid = known !== null && known.notAfterMs !== null && known.notAfterMs > nowMs;
  if (isSame && known.state === "joined" && isValid) return "repeated";
  if (token.revokedMs !== null) return "token-revoked";
  if (token.createdMs > nowMs + clocksAgreeToMs) return "token-not-yet-valid";
  if (isSame && known.state === "pending") return "still-pending";
  if (token.expiresMs <= nowMs) return "token-expired";
  if (token.usesLeft <= 0) return "token-used-up";
  if (known?.state === "joined" && isValid) return "id-in-use";
  // A stolen device must not come back with a token that lay beside it.
  if (known?.state === "revoked" && token.createdMs <= known.sinceMs) return "device-revoked";
  return token.isApproved ? "joins" : "has-to-be-approved";
}
