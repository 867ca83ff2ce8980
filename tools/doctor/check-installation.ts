import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ownExecutable, versionsAround } from "#platform/process/own-installation.ts";
import { hashFile } from "#protocol/release/file-hashes.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

interface KnownUpdates {
  readonly state?: unknown;
  readonly version?: unknown;
  readonly hashes?: Readonly<Record<string, unknown>>;
}

/** Reads what is known of the versions. @throws SyntaxError where that is no JSON */
const readUpdates = (prefix: string): KnownUpdates =>
  Object(JSON.parse(readFileSync(join(prefix, "update.json"), "utf8"))) as KnownUpdates;

/**
 * Checks the program that runs, where it was installed as a version: is its file still the one that was verified, and was its last update brought to
 * an end. Empty for a program that is no such version, or was never updated.
 */
export async function checkInstallation(executable = ownExecutable()): Promise<CheckResult[]> {
  const prefix = versionsAround(executable);
  if (prefix === null || !existsSync(join(prefix, "update.json"))) return [];
  const name = "installation";
  const version = basename(dirname(executable));
  let updates: KnownUpdates;
  try {
    updates = readUpdates(prefix);
  } catch {
    return [
      failed(name, `${prefix}/update.json can't be read`, "run sudo thormesh update --resume, which puts it aside"),
    ];
  }
  const expected = updates.hashes?.[version];
  if (typeof expected === "string") {
    const { sha256 } = await hashFile(executable, Number.MAX_SAFE_INTEGER);
    if (sha256 !== expected)
      return [
        failed(
          name,
          `${executable} was changed since it was installed (expected sha256 ${expected}, got ${sha256})`,
          "install it again (sudo sh install.sh --file FILE), or go back: sudo thormesh rollback",
        ),
      ];
  }
  if (updates.state === "switched" || updates.state === "returning")
    return [
      note(
        name,
        `the update to ${updates.version} is under way, or was cut short`,
        "if none is running: sudo thormesh update --resume",
      ),
    ];
  return [ok(name, `version ${version}${typeof expected === "string" ? ", its file as it was installed" : ""}`)];
}
