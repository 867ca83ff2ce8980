import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { UsageError } from "#platform/errors.ts";
import { copyDatabase } from "#platform/files/copy-database.ts";
import { readSecretIfThere, writeSecretFile } from "#platform/files/write-secret-file.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { version } from "#platform/version.ts";
import { TimeMs, text } from "#protocol/bounds.ts";
import { decodeText } from "#protocol/codec.ts";
import { authorityFiles } from "./fleet-authority.ts";

const databaseName = "controller.db";
/** Files of a controller that nothing else can make again, the authority's key last: without it none starts. */
const secretNames = ["controller-id", "broker.key", authorityFiles.certificate, authorityFiles.key] as const;
const manifestName = "backup.json";

const Manifest = strictObject({
  v: Type.Literal(1),
  version: text(64),
  madeMs: TimeMs,
  /** SHA-256 of each file, by its name. */
  files: Type.Record(text(64), Type.String({ pattern: "^[0-9a-f]{64}$" })),
});
type Manifest = Static<typeof Manifest>;

const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Copies one file; a power cut leaves the whole of it, or nothing. */
function copyWhole(from: string, to: string): void {
  copyFileSync(from, `${to}.part`);
  renameSync(`${to}.part`, to);
}

/**
 * Copies what a controller can't make again, also while it runs: its authority, the broker's key, and its records where they lie in the
 * directory. Keys that are encrypted there stay encrypted.
 * @returns names of the files that were written
 * @throws UsageError when there is no authority yet, or something is in the way.
 */
export function backUpState(stateDir: string, directory: string, nowMs: number): string[] {
  if (!existsSync(join(stateDir, authorityFiles.key)))
    throw new UsageError(
      `${join(stateDir, authorityFiles.key)} does not exist: start the controller once, or give its state directory with --state-dir or --config`,
    );
  if (existsSync(join(directory, manifestName)))
    throw new UsageError(`${directory} already contains a backup: choose another directory`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files: Record<string, string> = {};
  const taken = (name: string) => {
    files[name] = hashOf(join(directory, name));
  };
  if (existsSync(join(stateDir, databaseName))) {
    copyDatabase(join(stateDir, databaseName), join(directory, databaseName));
    taken(databaseName);
  }
  for (const name of secretNames) {
    const secret = readSecretLines(join(stateDir, name));
    if (secret === null) continue;
    writeSecretFile(join(directory, name), secret);
    taken(name);
  }
  const manifest: Manifest = { v: 1, version, madeMs: Math.round(nowMs), files };
  writeSecretFile(join(directory, manifestName), `${JSON.stringify(manifest)}\n`);
  return [...Object.keys(files), manifestName];
}

/** Text of a file that only this user can read; null where there is none. */
function readSecretLines(path: string): string | null {
  if (!existsSync(path)) return null;
  // The certificate has many lines, and is no secret.
  if (!path.endsWith(".pem")) readSecretIfThere(path, "the backup");
  return readFileSync(path, "utf8");
}

function readManifest(directory: string): Manifest {
  const path = join(directory, manifestName);
  const line = readSecretIfThere(path, "the backup");
  if (line === null)
    throw new UsageError(`${path} does not exist: is ${directory} what thormesh controller backup wrote?`);
  const decoded = decodeText(Manifest, line);
  if (!decoded.ok) throw new UsageError(`${path} can't be read: ${decoded.reason}`);
  return decoded.message;
}

/**
 * Puts a backup into an empty state directory. Broken off, the same command finishes it.
 * @returns the time of the backup
 * @throws UsageError when the backup is not whole, or the directory holds a controller's files that differ.
 */
export function restoreState(directory: string, stateDir: string): { readonly madeMs: number } {
  const { files, madeMs } = readManifest(directory);
  const names = [databaseName, ...secretNames].filter((name) => name in files);
  for (const name of names) {
    const path = join(directory, name);
    if (!existsSync(path) || hashOf(path) !== files[name])
      throw new UsageError(`${path} is missing or has been altered: use another backup`);
  }
  for (const name of [databaseName, ...secretNames]) {
    const path = join(stateDir, name);
    if (existsSync(path) && hashOf(path) !== files[name])
      throw new UsageError(
        `${path} exists and differs from the backup: stop the controller, then move its state directory away or choose an empty one with --state-dir`,
      );
  }
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  for (const name of names) copyWhole(join(directory, name), join(stateDir, name));
  return { madeMs };
}
