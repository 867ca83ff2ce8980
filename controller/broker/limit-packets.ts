import type { Socket } from "node:net";
import { maxMessageBytes } from "#protocol/codec.ts";

/** Kinds of MQTT 3.1.1 packets that a client may send here (section 2.2.1); those of QoS 2 are not used. */
const connect = 1;
const publish = 3;
const maxBytesOf: ReadonlyMap<number, number> = new Map([
  // Client id, secret and a last will of some models' names.
  [connect, 16_384],
  // Topic, its length and the packet's id beside the payload.
  [publish, maxMessageBytes + 4096],
  // PUBACK
  [4, 2],
  // SUBSCRIBE
  [8, 4096],
  // UNSUBSCRIBE
  [10, 4096],
  // PINGREQ
  [12, 0],
  // DISCONNECT
  [14, 0],
]);
/** Kinds that cost an answer but carry nothing: no client has reason to send many. */
const asking = new Set([8, 10, 12]);
const maxAskingPerS = 100;
/** Max bytes before CONNACK: clients wait for it before they send more. */
export const maxBytesBeforeAdmission = 16_384 + 4096;

export type PacketMistake = { readonly reason: "packet" | "flood"; readonly detail: string };

/** Follows the packets of one connection by their fixed headers, without keeping any byte. */
export interface PacketScanner {
  /** Returns what is wrong as soon as a header tells it, or null. */
  accept(chunk: Uint8Array): PacketMistake | null;
  /** From now on more than a CONNECT may come. */
  admitted(): void;
}

export function createPacketScanner(nowMs: () => number): PacketScanner {
  /** Bytes of the present packet's body that are still to come. */
  let bodyLeft = 0;
  let state: "type" | "length" | "body" = "type";
  let type = 0;
  let length = 0;
  let multiplier = 1;
  let packets = 0;
  let isAdmitted = false;
  let bytesBefore = 0;
  let secondMs = Number.NEGATIVE_INFINITY;
  let askedInSecond = 0;

  const mistake = (detail: string, reason: PacketMistake["reason"] = "packet") => ({ reason, detail });
  const startOf = (byte: number): PacketMistake | null => {
    type = byte >> 4;
    length = 0;
    multiplier = 1;
    packets += 1;
    state = "length";
    if (!maxBytesOf.has(type)) return mistake(`unsupported packet type ${type}`);
    // TLS to the wrong port looks like a CONNECT but for its flags.
    if ((packets === 1) !== (byte === connect << 4)) return mistake("expected CONNECT first and only once");
    if (!asking.has(type)) return null;
    const now = nowMs();
    if (now - secondMs >= 1000) {
      secondMs = now;
      askedInSecond = 0;
    }
    askedInSecond += 1;
    return askedInSecond > maxAskingPerS ? mistake(`more than ${maxAskingPerS} requests a second`, "flood") : null;
  };
  const lengthByte = (byte: number): PacketMistake | null => {
    length += (byte & 0x7f) * multiplier;
    multiplier *= 128;
    const maxBytes = maxBytesOf.get(type) ?? 0;
    if (length > maxBytes) return mistake(`packet type ${type} of more than ${maxBytes} bytes`);
    // A fifth length byte is malformed; it would also let the announced length grow without end.
    if (multiplier > 128 ** 4) return mistake("a length field of five bytes");
    if ((byte & 0x80) !== 0) return null;
    bodyLeft = length;
    state = bodyLeft === 0 ? "type" : "body";
    return null;
  };
  return {
    accept(chunk) {
      if (!isAdmitted) {
        bytesBefore += chunk.length;
        if (bytesBefore > maxBytesBeforeAdmission)
          return mistake(`more than ${maxBytesBeforeAdmission} bytes before login`);
      }
      let at = 0;
      while (at < chunk.length) {
        if (state === "body") {
          const taken = Math.min(bodyLeft, chunk.length - at);
          at += taken;
          bodyLeft -= taken;
          if (bodyLeft === 0) state = "type";
          continue;
        }
        const byte = chunk[at] as number;
        at += 1;
        const found = state === "type" ? startOf(byte) : lengthByte(byte);
        if (found !== null) return found;
      }
      return null;
    },
    admitted() {
      isAdmitted = true;
    },
  };
}

/**
 * Ends a connection whose peer sends what {@link createPacketScanner} refuses: aedes has no such limits and would collect up to 256 MB of one
 * packet in memory. Must be called before aedes takes the socket, as it reads with `socket.read`.
 * @returns the scanner, to be told of the admission
 */
export function limitPackets(socket: Socket, onMistake: (mistake: PacketMistake) => void): PacketScanner {
  const scanner = createPacketScanner(() => performance.now());
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    const chunk: Uint8Array | null = read(size);
    if (chunk === null) return null;
    const mistake = scanner.accept(chunk);
    if (mistake === null) return chunk;
    onMistake(mistake);
    socket.destroy(new Error(mistake.detail));
    return null;
  };
  return scanner;
}
