import { readFileSync } from "node:fs";

/** Returns true for a process that a signal has stopped (SIGSTOP, SIGTSTP) until SIGCONT; false without /proc. */
export function isProcessStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The state follows the name, which is in parentheses and may contain anything.
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "T";
  } catch {
    return false;
  }
}
