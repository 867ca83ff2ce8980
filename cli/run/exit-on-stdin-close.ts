import type { CommandOption } from "#platform/terminal/command.ts";

/** Option of commands that must not outlive the program that started them, even when that is killed with SIGKILL. */
export const exitOnStdinCloseOption = {
  "exit-on-stdin-close": { help: "stop when standard input is closed, as when the parent process ends" },
} as const satisfies Readonly<Record<string, CommandOption>>;

/**
 * Calls `stop` once, when standard input ends: the parent holds the other end of the pipe open, and the kernel closes it however
 * the parent ends. When `stop` takes longer than `graceMs` of real time the process exits with 1.
 */
export function exitOnStdinClose(
  stop: () => void,
  graceMs = 5_000,
  input: NodeJS.ReadableStream = process.stdin,
): void {
  let closed = false;
  const onClose = () => {
    if (closed) return;
    closed = true;
    setTimeout(() => process.exit(1), graceMs).unref();
    stop();
  };
  input.once("end", onClose);
  input.once("close", onClose);
  input.once("error", onClose);
  input.resume();
}
