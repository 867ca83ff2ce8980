import type { Device } from "../store/store.ts";

export interface RenewalInputs {
  /** Device of the id that the certificate names; null: none is known. */
  readonly known: Pick<Device, "state" | "keyHash" | "previousKeyHash"> | null;
  /** Hash of the certificate's key, which signed the request. */
  readonly signedBy: string;
  /** Hash of the key that the next certificate is for. */
  readonly nextKey: string;
  readonly notAfterMs: number;
  readonly graceMs: number;
  readonly nowMs: number;
}

export type RenewalRule =
  | "renews"
  /** The device did not get the answer to its last request, and asks again. */
  | "repeated"
  | "device-unknown"
  | "device-revoked"
  /** A key that was replaced already: an old copy of the device's state, or a clone. */
  | "key-replaced"
  | "expired-too-long";

/** Decides whether a device gets its next certificate. */
export function decideRenewal(inputs: RenewalInputs): RenewalRule {
  const { known, signedBy, nextKey, notAfterMs, graceMs, nowMs } = inputs;
  if (known === null || known.state === "pending") return "device-unknown";
  if (known.state === "revoked") return "device-revoked";
  if (nowMs > notAfterMs + graceMs) return "expired-too-long";
  if (signedBy === known.keyHash) return "renews";
  if (signedBy !== known.previousKeyHash) return "key-replaced";
  return nextKey === known.keyHash ? "repeated" : "renews";
}
