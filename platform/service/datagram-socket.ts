import { dlopen, FFIType } from "bun:ffi";

const libc = () =>
  dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: {
      args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i64,
    },
  }).symbols;

const unixFamily = 1;
const datagramCloseOnExec = 2 | 0o2000000;
/** Without a signal when nobody reads, and without waiting when the reader's queue is full. */
const quietAndAtOnce = 0x4000 | 0x40;
const maxPathBytes = 107;

/** Address of a Unix socket as the kernel reads it; `@` at the beginning stands for the abstract namespace. */
export function unixAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length > maxPathBytes)
    throw new RangeError(`expected a socket's path of 1 to ${maxPathBytes} bytes, got ${name.length}`);
  const isAbstract = path.startsWith("@");
  const address = new Uint8Array(2 + name.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, unixFamily, true);
  address.set(name, 2);
  if (isAbstract) address[2] = 0;
  return address;
}

/**
 * Opens a Unix datagram socket, which neither Bun nor Node.js have, and returns what sends a text to `path`: true if it was taken.
 * @throws RangeError for a path that no socket can have, Error where the C library is another one or gives no socket
 */
export function openDatagramSocket(path: string): (text: string) => boolean {
  const { socket, sendto } = libc();
  const address = unixAddress(path);
  const descriptor = socket(unixFamily, datagramCloseOnExec, 0);
  if (descriptor < 0) throw new Error("the system provides no datagram socket");
  return (text) => {
    const bytes = new TextEncoder().encode(text);
    return Number(sendto(descriptor, bytes, bytes.length, quietAndAtOnce, address, address.length)) === bytes.length;
  };
}
