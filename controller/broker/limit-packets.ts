import type { Socket } from "node:net";
import { maxMessageBytes } from "#protocol/codec.ts";

/** Kinds of MQTT 3.1.1 packets that a client may send here (section 2.2.1), with their max bytes; those of QoS 2 are not used. */
const connect = 1;
const publish = 3;
const maxBytesOf: ReadonlyMap<number, number> = new Map([
  // Client id, secret and a last will of some models' names.
  [connect, 16_384],
  // Topic, its length and the packet's id beside the payload.
  [publish, maxMessageBytes + 4096],
  [4, 2], // PUBACK
  [8, 4096], // SUBSCRIBE
  [10, 4096], // UNSUBSCRIBE
  [12, 0], // PINGREQ
  [14, 0], // DISCONNECT
]);
/** Kinds that cost an answer but carry nothing; their rate is limited. */
const asking = new Set([8, 10, 12]);
const maxAskingPerS = 100;
/** Maximum bytes before CONNACK: clients wait for it before they send more. */
export const maxBytesBeforeAdmission = 16_384 + 4096;

export type PacketMistake = { readonly reason: "packet" | "flood"; readonly detail: string };

const mistake = (detail: string, reason: PacketMistake["reason"] = "packet"): PacketMistake => ({ reason, detail });

/** Follows the packets of one connection by their fixed headers, without keeping any byte. */
export class PacketScanner {
  readonly #nowMs: () => number;
  #state: "type" | "length" | "body" = "type";
  #type = 0;
  #length = 0;
  #multiplier = 1;
  /** Bytes of the present packet's body that are still to come. */
  #bodyLeft = 0;
  #packets = 0;
  #isAdmitted = false;
  #bytesBefore = 0;
  #secondMs = Number.NEGATIVE_INFINITY;
  #askedInSecond = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Returns what is wrong as soon as a header tells it, or null. */
  accept(chunk: Uint8Array): PacketMistake | null {
    if (!this.#isAdmitted) {
      this.#bytesBefore += chunk.length;
      if (this.#bytesBefore > maxBytesBeforeAdmission)
        return mistake(`more than ${maxBytesBeforeAdmission} bytes before login`);
    }
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "body") {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        at += taken;
        this.#bodyLeft -= taken;
        if (this.#bodyLeft === 0) this.#state = "type";
        continue;
      }
      const byte = chunk[at] as number;
      at += 1;
      const found = this.#state === "type" ? this.#startOf(byte) : this.#lengthByte(byte);
      if (found !== null) return found;
    }
    return null;
  }

  /** Allows more than a CONNECT from now on. */
  admitted(): void {
    this.#isAdmitted = true;
  }

  #startOf(byte: number): PacketMistake | null {
    this.#type = byte >> 4;
    this.#length = 0;
    this.#multiplier = 1;
    this.#packets += 1;
    this.#state = "length";
    if (!maxBytesOf.has(this.#type)) return mistake(`unsupported packet type ${this.#type}`);
    // TLS to the wrong port looks like a CONNECT but for its flags.
    if ((this.#packets === 1) !== (byte === connect << 4)) return mistake("expected CONNECT first and only once");
    if (!asking.has(this.#type)) return null;
    const now = this.#nowMs();
    if (now - this.#secondMs >= 1000) {
      this.#secondMs = now;
      this.#askedInSecond = 0;
    }
    this.#askedInSecond += 1;
    return this.#askedInSecond > maxAskingPerS
      ? mistake(`more than ${maxAskingPerS} requests per second`, "flood")
      : null;
  }

  #lengthByte(byte: number): PacketMistake | null {
    this.#length += (byte & 0x7f) * this.#multiplier;
    this.#multiplier *= 128;
    const maxBytes = maxBytesOf.get(this.#type) ?? 0;
    if (this.#length > maxBytes) return mistake(`packet type ${this.#type} of more than ${maxBytes} bytes`);
    // A fifth length byte is malformed; it would also let the announced length grow without end.
    if (this.#multiplier > 128 ** 4) return mistake("a length field of five bytes");
    if ((byte & 0x80) !== 0) return null;
    this.#bodyLeft = this.#length;
    this.#state = this.#bodyLeft === 0 ? "type" : "body";
    return null;
  }
}

/**
 * Ends a connection whose peer sends what {@link PacketScanner} refuses: aedes has no such limits and would collect up to 256 MB of one
 * packet in memory. Must be called before aedes takes the socket, as it reads with `socket.read`.
 * @returns the scanner, whose `admitted` is to be called.
 */
export function limitPackets(socket: Socket, onMistake: (mistake: PacketMistake) => void): PacketScanner {
  const scanner = new PacketScanner(() => performance.now());
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
