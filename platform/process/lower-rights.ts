import { dlopen, FFIType } from "bun:ffi";
import { describeError } from "../errors.ts";

/** Process that keeps secrets, or one that only computes for its parent. */
export type ProcessKind = "service" | "worker";

/** Numbers of Linux, the same on x64 and arm64. */
const linux = { rlimitCore: 4, setNoNewPrivileges: 38 } as const;

function openLibrary() {
  return dlopen("libc.so.6", {
    prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
    setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  }).symbols;
}

/**
 * Gives up rights for good, also for processes that this one starts: core dumps, which would hold keys and texts, and in a worker new privileges
 * (set-user-id programs such as sudo, which a service may need to switch power modes). Returns what could not be done; null when all was.
 */
export function lowerRights(kind: ProcessKind): string | null {
  if (process.platform !== "linux") return null;
  try {
    const { prctl, setrlimit } = openLibrary();
    const left: string[] = [];
    if (setrlimit(linux.rlimitCore, new BigUint64Array([0n, 0n])) !== 0) left.push("core dumps");
    if (kind === "worker" && prctl(linux.setNoNewPrivileges, 1, 0, 0, 0) !== 0) left.push("new privileges");
    return left.length === 0 ? null : `${left.join(" and ")} can't be switched off`;
  } catch (error) {
    return `core dumps can't be switched off: ${describeError(error)}`;
  }
}
