import { statSync } from "node:fs";
import { resolve } from "node:path";
import { parseControllerConfig } from "#controller/check-config.ts";
import { backUpState, restoreState } from "#controller/identity/state-backup.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { mergeConfig } from "../run/merge-config.ts";
import { readInput } from "../run/read-input.ts";

/** @throws UsageError when the controller, which owns its directory, could not read what is written there */
function refuseForeignDirectory(stateDir: string): void {
  const owner = statSync(stateDir, { throwIfNoEntry: false })?.uid;
  const own = process.getuid?.();
  if (owner === undefined || own === undefined || owner === own) return;
  throw new UsageError(
    `${stateDir} belongs to user ${owner}, and this is user ${own}: run this command as that user, such as with: sudo -u '#${owner}' thormesh …`,
  );
}

/** Backs a controller's state up to a directory, or restores it from there. */
export async function backUpOrRestore(
  action: "backup" | "restore",
  values: OptionValues,
  words: readonly string[],
): Promise<number> {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0)
    throw new UsageError(`expected the backup's directory: thormesh controller ${action} DIR`);
  const directory = resolve(word);
  const { input, source } = await readInput("controller", optionalString(values, "config"), process.env, true);
  const config = parseControllerConfig(mergeConfig(input, { stateDir: optionalString(values, "state-dir") }), source);
  const stateDir = config.stateDir ?? defaultStateDir("controller", process.env);
  refuseForeignDirectory(stateDir);
  closeNewFiles();
  if (action === "backup") {
    const names = backUpState(stateDir, directory, Date.now());
    const elsewhere =
      config.store.url === null ? "" : "; the records are on a PostgreSQL server and need a backup of their own";
    printLine(
      `wrote ${names.join(", ")} to ${directory}: whoever has these files commands the fleet, so protect them like ${stateDir}${elsewhere}`,
    );
  } else {
    const { madeMs } = restoreState(directory, stateDir);
    printLine(
      `restored ${stateDir} as of ${new Date(madeMs).toISOString()}: start the controller. Devices that joined since then must join again; devices revoked since then must be revoked again (thormesh agents list)`,
    );
  }
  return 0;
}
