import { fileURLToPath } from "node:url";

/** Returns the command line that starts this program again: the compiled executable, or bun with main.ts when run from source. */
export function selfCommand(): string[] {
  const compiled = import.meta.url.includes("/$bunfs/") || import.meta.url.startsWith("file:///$bunfs");
  if (compiled) return [process.execPath];
  return [process.execPath, fileURLToPath(new URL("../../main.ts", import.meta.url))];
}
