import type { BrokerAllowance } from "./mqtt-connection.ts";

/** Reason why a packet can't be sent to a broker. */
export interface PacketObjection {
  readonly code: "PAYLOAD_TOO_LARGE" | "FORBIDDEN";
  readonly reason: string;
}

/**
 * Returns why a packet can't be sent on a connection; null: it can.
 * @param allowance what the broker accepts; undefined: it has not said
 * @param suspicion reason to believe that the packet is too large for the broker; null: none
 */
export function packetObjection(
  { bytes, retain }: { readonly bytes: number; readonly retain: boolean },
  allowance: BrokerAllowance | undefined,
  suspicion: string | null,
): PacketObjection | null {
  const { maxPacketBytes = null, retains = true } = allowance ?? {};
  if (maxPacketBytes !== null && bytes > maxPacketBytes)
    return { code: "PAYLOAD_TOO_LARGE", reason: `${bytes} bytes, but the broker accepts at most ${maxPacketBytes}` };
  if (suspicion !== null) return { code: "PAYLOAD_TOO_LARGE", reason: suspicion };
  return retain && !retains ? { code: "FORBIDDEN", reason: "the broker does not retain messages" } : null;
}
