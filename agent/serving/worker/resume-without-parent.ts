import { dlopen, FFIType } from "bun:ffi";
import { constants } from "node:os";

/** Number of the request in linux/prctl.h. */
const setParentDeathSignal = 1;

/**
 * Has the kernel resume this process when its parent ends: if that was killed while it paused this one, nobody else would, and a stopped process
 * does not notice that its connection is closed.
 */
export function resumeWithoutParent(): void {
  try {
    const { symbols } = dlopen("libc.so.6", {
      prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
    });
    symbols.prctl(setParentDeathSignal, constants.signals.SIGCONT, 0, 0, 0);
  } catch {
    // Another C library: it is paused anyway, for as long as a batch takes.
  }
}
