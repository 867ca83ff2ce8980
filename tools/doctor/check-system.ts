import { readFileSync } from "node:fs";
import { release } from "node:os";
import { runCommand } from "#platform/process/run-command.ts";
import { builtAtMs } from "#platform/version.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const commandWithinMs = 5_000;
/** Oldest glibc that ONNX Runtime's library can be loaded with. */
const minGlibc = [2, 28] as const;

/** Version of glibc as getconf prints it; null where it can't be told. */
async function askGlibc(): Promise<string | null> {
  const { output } = await runCommand(["getconf", "GNU_LIBC_VERSION"], commandWithinMs);
  return /glibc (\d+\.\d+)/.exec(output)?.[1] ?? null;
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}

/** Checks that the system's C library is new enough for the libraries inside the program. */
export async function checkSystem(glibcOf: () => Promise<string | null> = askGlibc): Promise<CheckResult> {
  const name = "system";
  const glibc = await glibcOf();
  const detail = `${systemName()}, Linux ${release()}, ${glibc === null ? "glibc unknown" : `glibc ${glibc}`}`;
  const [major = 0, minor = 0] = (glibc ?? "").split(".").map(Number);
  const isOld = glibc !== null && (major < minGlibc[0] || (major === minGlibc[0] && minor < minGlibc[1]));
  if (!isOld) return ok(name, detail);
  const advice = "upgrade the board's system: JetPack 5, Debian 10 and Ubuntu 20.04 have it";
  return failed(name, `${detail}: expected glibc ${minGlibc.join(".")} or newer`, advice);
}

/** Checks that the clock is not before this program was made, as it is on a board without a battery before it has the time. */
export function checkClock(nowMs: number, madeAtMs = builtAtMs): CheckResult {
  const name = "clock";
  const shown = `${new Date(nowMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (nowMs >= madeAtMs) return ok(name, shown);
  return note(
    name,
    `${shown}, which is before this program was made: certificates count as not yet valid, and records get wrong times`,
    "set it: sudo timedatectl set-ntp true, or sudo date -s",
  );
}
