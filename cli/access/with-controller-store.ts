import { existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import type { AuditSource } from "#controller/audit/audit-log.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import type { ControllerConfig } from "#controller/config.ts";
import { openConfiguredRecords } from "#controller/open-records.ts";
import type { Store } from "#controller/store/store.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { createLogger } from "#platform/log.ts";
import { type CommandOption, type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { mergeConfig } from "../run/merge-config.ts";
import { readInput } from "../run/read-input.ts";

/** Options of the commands that can work on a controller's store instead of its API. */
export const localStoreOptions = {
  local: {
    help: "use this machine's controller store directly, even while it runs; needs its user's rights but no key",
  },
  "state-dir": { value: "DIR", help: "with --local: the controller's state directory" },
  config: { short: "c", value: "FILE", help: "with --local: the controller's configuration" },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** Returns what a command works on. @throws UsageError for options of both */
export function refuseMixedStore(values: OptionValues): "api" | "local" {
  if (values["local"] === true) {
    if ("url" in values) throw new UsageError("--url can't be combined with --local");
    return "local";
  }
  for (const name of ["state-dir", "config"])
    if (name in values) throw new UsageError(`--${name} works only with --local`);
  return "api";
}

/** Option of the commands that change something. */
export const reasonOption = {
  reason: { value: "TEXT", help: "reason, for the audit log" },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** Reason of the option, for a request to the controller. */
export function reasonOf(values: OptionValues): { readonly reason?: string } {
  const reason = optionalString(values, "reason");
  return reason === undefined ? {} : { reason };
}

/** This user of this machine, as the audit log names it. */
export function localSource(values: OptionValues): AuditSource {
  const { username, uid } = userInfo();
  const reason = optionalString(values, "reason") ?? null;
  return { name: `user ${username} (${uid})`, role: "admin", from: "local", reason };
}

/** Owner of a directory, or of the nearest one above it that exists. */
function ownerOf(path: string): number {
  return existsSync(path) || dirname(path) === path ? statSync(path).uid : ownerOf(dirname(path));
}

/**
 * Opens the store of a controller of this user for one command.
 * @throws UsageError when the directory belongs to another user, whose controller could not read what this one writes
 */
export async function withControllerStore<T>(
  values: OptionValues,
  work: (store: Store, config: ControllerConfig) => Promise<T>,
): Promise<T> {
  const path = optionalString(values, "config");
  const { input, source } = await readInput("controller", path, process.env);
  const merged = mergeConfig(input, { stateDir: optionalString(values, "state-dir") });
  const config = parseControllerConfig(merged, source);
  const stateDir = config.stateDir ?? defaultStateDir("controller", process.env);
  const owner = ownerOf(stateDir);
  const own = process.getuid?.() ?? owner;
  if (owner !== own)
    throw new UsageError(
      `${stateDir} belongs to user ${owner}, and this is user ${own}: run this command as that user, such as with: sudo -u '#${owner}' thormesh …`,
    );
  closeNewFiles();
  const log = createLogger("controller", "warn");
  const records = await openConfiguredRecords({ config: config.store, stateDir, nowMs: Date.now(), log, by: "tool" });
  if (records === null) throw new Error("the store was not opened for this command. This is a bug.");
  const { store } = records;
  try {
    return await work(store, config);
  } finally {
    await store.close();
  }
}
