import { writeSync } from "node:fs";

const stdout = 1;

/** Writes all of it, waiting where a pipe is full for the moment. */
function writeAll(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(stdout, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

/**
 * Prints a line on standard output. Who reads it may stop reading (`| head -1`): that is no failure. A disk that is full is one,
 * which Bun's own `console.log` passes over.
 * @throws Error when it can't be written for another reason than a reader that is gone.
 */
export function printLine(line = ""): void {
  try {
    writeAll(new TextEncoder().encode(`${line}\n`));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EPIPE")
      throw new Error("standard output can't be written to", { cause });
  }
}
