import { writeSync } from "node:fs";
import { cleanOutput } from "#platform/clean-text.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

const stdout = 1;
const stderr = 2;

/** Writes all bytes, and waits while a pipe is full. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

/**
 * Prints a line on standard output, cleaned for a terminal; JSON keeps its value. A reader that has stopped reading (`| head -1`) is not an error;
 * a full disk is, which Bun's own `console.log` ignores. Returns false when nobody reads on.
 * @throws Error when the line can't be written, except to a closed pipe.
 */
export function printLine(line = ""): boolean {
  try {
    writeAll(stdout, new TextEncoder().encode(`${cleanOutput(line)}\n`));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EPIPE")
      throw new Error("standard output can't be written to", { cause });
    return false;
  }
}

/** Prints a line on standard error, cleaned for a terminal and without secrets in the addresses it quotes. Never throws. */
export function sayLine(...parts: readonly unknown[]): void {
  const line = parts.map((part) => (typeof part === "string" ? part : Bun.inspect(part))).join(" ");
  try {
    writeAll(stderr, new TextEncoder().encode(`${cleanOutput(redactText(line))}\n`));
  } catch {
    // There is no other place to report it.
  }
}
