import { writeSync } from "node:fs";
import { cleanOutput } from "#platform/clean-text.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

const stdout = 1;
const stderr = 2;

/** Writes all of it, waiting where a pipe is full for the moment. */
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
 * Prints a line on standard output, without what could steer the terminal it may go to; JSON stays the same value. Who reads it may stop reading (`| head -1`): that is no failure. A disk that is full is one,
 * which Bun's own `console.log` passes over.
 * @throws Error when it can't be written for another reason than a reader that is gone.
 */
export function printLine(line = ""): void {
  try {
    writeAll(stdout, new TextEncoder().encode(`${cleanOutput(line)}\n`));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EPIPE")
      throw new Error("standard output can't be written to", { cause });
  }
}

/** Says a line on standard error, as {@link printLine} does, and without what is secret in addresses it quotes. That nobody hears it is no failure. */
export function sayLine(...parts: readonly unknown[]): void {
  const line = parts.map((part) => (typeof part === "string" ? part : Bun.inspect(part))).join(" ");
  try {
    writeAll(stderr, new TextEncoder().encode(`${cleanOutput(redactText(line))}\n`));
  } catch {
    // There is nowhere else to say so.
  }
}
