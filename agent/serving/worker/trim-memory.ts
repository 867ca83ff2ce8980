import { dlopen, FFIType } from "bun:ffi";

type Trim = () => void;

function findTrim(): Trim {
  try {
    const { symbols } = dlopen("libc.so.6", { malloc_trim: { args: [FFIType.u64], returns: FFIType.i32 } });
    return () => void symbols.malloc_trim(0);
  } catch {
    return () => {}; // another C library, which keeps what it keeps
  }
}

let trim: Trim | undefined;

/** Gives memory back to the system that the C library and the JavaScript engine keep free for later. Takes some milliseconds. */
export function trimMemory(): void {
  Bun.gc(true);
  trim ??= findTrim();
  trim();
}
