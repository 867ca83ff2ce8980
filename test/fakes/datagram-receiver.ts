import { dlopen, FFIType } from "bun:ffi";
import { unixAddress } from "#platform/service/datagram-socket.ts";

const libc = dlopen("libc.so.6", {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
}).symbols;

/** Listens at a Unix datagram socket, as a service manager does. */
export function receiveDatagrams(path: string) {
  const descriptor = libc.socket(1, 2 | 0o2000000, 0);
  const address = unixAddress(path);
  if (descriptor < 0 || libc.bind(descriptor, address, address.length) !== 0)
    throw new Error(`can't listen at ${path}`);
  const texts: string[] = [];
  return {
    /** Texts that have come so far. */
    received(): readonly string[] {
      const buffer = new Uint8Array(4096);
      for (;;) {
        const length = Number(libc.recv(descriptor, buffer, buffer.length, 0x40));
        if (length < 0) return texts;
        texts.push(new TextDecoder().decode(buffer.subarray(0, length)));
      }
    },
    close: () => void libc.close(descriptor),
  };
}
