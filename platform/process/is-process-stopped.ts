import { readFileSync } from "node:fs";

/** Tells a process that a signal has stopped (SIGSTOP, SIGTSTP): it runs on by SIGCONT only. False where there is no /proc. */
export function isProcessStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything, the state follows it.
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "T";
  } catch {
    return false;
  }
}
