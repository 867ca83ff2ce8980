import { describeError } from "#platform/errors.ts";
import { restoreStack } from "#platform/terminal/stack-map.ts";

/** Text on an error that nobody caught: what it says, with its causes, and where it came from. */
export function uncaughtToText(error: unknown): string {
  const stack = error instanceof Error ? restoreStack(error.stack ?? "") : "";
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
  return [`thormesh: ${describeError(error)}`, ...frames].join("\n");
}

/**
 * Ends the program by an error that nobody caught, as it would end by itself, with a stack trace that names our files: the compiled executable
 * would quote a line of the bundle, thousands of characters long.
 */
export function onUncaught(): void {
  const end = (error: unknown) => {
    console.error(uncaughtToText(error));
    process.exit(1);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}
