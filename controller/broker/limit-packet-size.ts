import type { Socket } from "node:net";

/** Follows the packets of one MQTT connection by their fixed headers (MQTT 3.1.1, section 2.2), without keeping any byte. */
export interface PacketSizeScanner {
  /** False as soon as a header announces a packet of more than `maxPacketBytes`. */
  accept(chunk: Uint8Array): boolean;
}

export function createPacketSizeScanner(maxPacketBytes: number): PacketSizeScanner {
  /** Bytes of the present packet's body that are still to come. */
  let bodyLeft = 0;
  let state: "type" | "length" | "body" = "type";
  let length = 0;
  let multiplier = 1;
  return {
    accept(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (state === "type") {
          at += 1;
          length = 0;
          multiplier = 1;
          state = "length";
        } else if (state === "length") {
          const byte = chunk[at] as number;
          at += 1;
          length += (byte & 0x7f) * multiplier;
          multiplier *= 128;
          // A fifth length byte is malformed; it would also let the announced length grow without end.
          if (length > maxPacketBytes || multiplier > 128 ** 4) return false;
          if ((byte & 0x80) === 0) {
            bodyLeft = length;
            state = bodyLeft === 0 ? "type" : "body";
          }
        } else {
          const taken = Math.min(bodyLeft, chunk.length - at);
          at += taken;
          bodyLeft -= taken;
          if (bodyLeft === 0) state = "type";
        }
      }
      return true;
    },
  };
}

/**
 * Makes a socket fail when its peer announces a packet of more than `maxPacketBytes`: aedes has no such limit and would collect
 * up to 256 MB in memory. Must be called before aedes takes the socket, as it reads with `socket.read`.
 */
export function limitPacketSize(socket: Socket, maxPacketBytes: number): void {
  const scanner = createPacketSizeScanner(maxPacketBytes);
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    const chunk: Uint8Array | null = read(size);
    if (chunk === null || scanner.accept(chunk)) return chunk;
    socket.destroy(new Error(`a packet of more than ${maxPacketBytes} bytes`));
    return null;
  };
}
