import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";

/** Lists the keys, like "serving.port", whose values differ. */
export function changedKeys(before: unknown, after: unknown, path = ""): string[] {
  if (Bun.deepEquals(before, after)) return [];
  const isSection = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isSection(before) || !isSection(after)) return [path];
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names.flatMap((name) => changedKeys(old[name], now[name], path === "" ? name : `${path}.${name}`));
}

/**
 * Lets a service live through SIGHUP, on which those who watch files read them again, and say which settings have changed and need a restart. At a
 * terminal the signal ends the program as ever: its window was closed.
 * @param read reads the configuration as it is now
 */
export function onHangup(
  config: unknown,
  read: () => Promise<unknown>,
  log: Logger,
  atTerminal = process.stdin.isTTY,
): void {
  if (atTerminal) return;
  process.on("SIGHUP", () => {
    read().then(
      (now) => {
        const keys = changedKeys(config, now);
        if (keys.length === 0) log.info("SIGHUP: no setting has changed; certificates from files are read again");
        else log.warn({ keys }, `SIGHUP: these settings have changed and need a restart: ${keys.join(", ")}`);
      },
      (error) => log.error({ err: describeError(error) }, "SIGHUP: the configuration can't be used as it is now"),
    );
  });
}
