import { connect, type Socket } from "node:net";
import { patienceMs } from "../../patience.ts";

/** Frame types of HTTP/2. */
export const frame = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Encodes one frame, valid or not. */
export function writeFrame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream >>> 0, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** Encodes an HPACK integer with a 7-bit prefix. */
function hpackLength(length: number): number[] {
  if (length < 127) return [length];
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** Encodes header fields in HPACK as literals that are not indexed. */
export function writeHeaders(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, value] of fields) {
    const bytes = Buffer.from(value, "latin1");
    parts.push(Uint8Array.of(0, ...hpackLength(name.length)), Buffer.from(name, "latin1"));
    parts.push(Uint8Array.from(hpackLength(bytes.length)), bytes);
  }
  return Buffer.concat(parts);
}

/** Header fields of a call. */
export function callHeaders(
  method: string,
  more: readonly (readonly [name: string, value: string])[] = [],
): (readonly [string, string])[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", `/${method}`],
    [":authority", "127.0.0.1"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more,
  ];
}

/** Frames a gRPC message, or its first bytes with a prefix that announces more. */
export function grpcMessage(body: Uint8Array, announced = body.length, compressed = 0): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes[0] = compressed;
  bytes.writeUInt32BE(announced >>> 0, 1);
  bytes.set(body, 5);
  return bytes;
}

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** HTTP/2 connection of a client that keeps to no rule. */
export interface RawConnection {
  readonly socket: Socket;
  /** Resolves when the system has the bytes; false if the connection is closed. */
  send(...frames: readonly Uint8Array[]): Promise<boolean>;
  /** Sends DATA in frames of up to 16,384 bytes, as the server's windows allow. Resolves with the number of bytes sent within `ms`. */
  sendData(stream: number, bytes: Uint8Array, ms: number, endStream?: boolean): Promise<number>;
  /** All frames so far, oldest first; those of `keep` only. */
  readonly frames: RawFrame[];
  /** Resolves with the first frame, past or to come, that `wanted` accepts; null after `ms` or once the connection is closed. */
  waitFor(wanted: (frame: RawFrame) => boolean, ms?: number): Promise<RawFrame | null>;
  readonly closed: boolean;
  /** Stops reading: the server's answers pile up. */
  stopReading(): void;
  close(): void;
}

/** @param keep frames that the connection remembers; all by default. */
export async function openRawConnection(
  address: string,
  options: { readonly keep?: (frame: RawFrame) => boolean; readonly settings?: Uint8Array } = {},
): Promise<RawConnection> {
  const at = address.lastIndexOf(":");
  const socket = connect({ host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) });
  const frames: RawFrame[] = [];
  const windows = new Map<number, number>();
  let connectionWindow = 65_535;
  let streamWindow = 65_535;
  let closed = false;
  const wakers = new Set<() => void>();
  const wake = () => {
    for (const waker of [...wakers]) waker();
  };
  let rest: Buffer = Buffer.alloc(0);
  const read = ({ type, flags, stream, payload }: RawFrame) => {
    if (type === frame.windowUpdate && payload.length === 4) {
      const more = payload.readUInt32BE(0) & 0x7fffffff;
      if (stream === 0) connectionWindow += more;
      else windows.set(stream, (windows.get(stream) ?? streamWindow) + more);
    }
    if (type === frame.settings && (flags & flag.ack) === 0) {
      for (let i = 0; i + 6 <= payload.length; i += 6) {
        if (payload.readUInt16BE(i) === 4) streamWindow = payload.readUInt32BE(i + 2);
      }
      socket.write(writeFrame(frame.settings, flag.ack, 0));
    }
  };
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      const came = {
        type: rest[3] as number,
        flags: rest[4] as number,
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(rest.subarray(9, 9 + length)),
      };
      rest = rest.subarray(9 + length);
      read(came);
      if (options.keep?.(came) ?? true) frames.push(came);
    }
    wake();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.write(Buffer.concat([preface, writeFrame(frame.settings, 0, 0, options.settings)]));

  /** Resolves at the next frame, at `untilMs`, or at the end of the connection. */
  const something = (untilMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(done, Math.max(0, untilMs - performance.now()));
      function done() {
        clearTimeout(timer);
        wakers.delete(done);
        resolve();
      }
      wakers.add(done);
    });

  const send = (...parts: readonly Uint8Array[]) =>
    new Promise<boolean>((resolve) => {
      if (closed || socket.destroyed) return resolve(false);
      socket.write(Buffer.concat(parts), (error) => resolve(error === undefined || error === null));
    });

  return {
    socket,
    frames,
    send,
    async sendData(stream, bytes, ms, endStream = false) {
      const untilMs = performance.now() + ms;
      let at = 0;
      while (at < bytes.length && !closed && performance.now() < untilMs) {
        const window = Math.min(windows.get(stream) ?? streamWindow, connectionWindow, 16_384);
        if (window <= 0) {
          await something(untilMs);
          continue;
        }
        const part = bytes.subarray(at, at + window);
        at += part.length;
        connectionWindow -= part.length;
        windows.set(stream, (windows.get(stream) ?? streamWindow) - part.length);
        const last = endStream && at === bytes.length;
        if (!(await send(writeFrame(frame.data, last ? flag.endStream : 0, stream, part)))) break;
      }
      return at;
    },
    async waitFor(wanted, ms = patienceMs) {
      const untilMs = performance.now() + ms;
      for (let next = 0; ; ) {
        for (; next < frames.length; next += 1) {
          const candidate = frames[next] as RawFrame;
          if (wanted(candidate)) return candidate;
        }
        if (closed || performance.now() >= untilMs) return null;
        await something(untilMs);
      }
    },
    get closed() {
      return closed;
    },
    stopReading: () => socket.pause(),
    close: () => socket.destroy(),
  };
}
