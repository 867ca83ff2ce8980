import { hourMs } from "#platform/time.ts";

export interface SentPacket {
  readonly topic: string;
  readonly bytes: number;
}

/** Ends of a connection in a row with the same packet under way, after which its size is the likely cause. */
const suspectAfter = 2;
/** Smaller packets pass everywhere; one may be under way at any end. */
const smallBytes = 8192;

/**
 * Finds out which size a broker does not take, where it does not say so: MQTT 3.1.1 knows no limit and no reason, the broker ends the
 * connection. Without it the same packet would end every connection, and nothing behind it would ever be sent.
 */
export function createSizeSuspicion(nowMs: () => number) {
  let last: { readonly packet: SentPacket; ends: number } | null = null;
  let suspect: { readonly packet: SentPacket; readonly untilMs: number } | null = null;
  return {
    /** Takes in the end of a connection that the broker gave no reason for. @param packet the largest that was under way */
    ended(packet: SentPacket | null): void {
      if (packet === null || packet.bytes < smallBytes) {
        last = null;
        return;
      }
      const isSame = last !== null && last.packet.topic === packet.topic && last.packet.bytes === packet.bytes;
      last = { packet, ends: isSame ? (last?.ends ?? 0) + 1 : 1 };
      if (last.ends >= suspectAfter) suspect = { packet, untilMs: nowMs() + hourMs };
    },
    /** The broker has taken a packet of this size. */
    taken(bytes: number): void {
      if (suspect !== null && bytes >= suspect.packet.bytes) suspect = null;
    },
    /** Reason not to send a packet of this size; null: there is none. */
    of(bytes: number): string | null {
      if (suspect === null || bytes < suspect.packet.bytes || nowMs() >= suspect.untilMs) return null;
      const { topic, bytes: ended } = suspect.packet;
      return `${bytes} bytes: the broker ended the connection twice while ${ended} bytes were being sent to ${topic}, which is probably more than it accepts`;
    },
  };
}

export function largestOf(packets: readonly SentPacket[]): SentPacket | null {
  return packets.reduce<SentPacket | null>((max, each) => (max === null || each.bytes > max.bytes ? each : max), null);
}
