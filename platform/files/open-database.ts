import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "../time.ts";
import { dropOldCopies, isUsableBy, keepCopy, takeCopy, usableFrom, usableFromPragma } from "./schema-change.ts";

/** SQL of one schema version, by its index in the list; released steps are never edited. */
export type Migration = string;

class DamagedDatabaseError extends Error {}

/** The part of SQLite that stores use. */
export type StateDatabase = Pick<Database, "query" | "transaction">;

/** Error for a file that a later version of the program wrote. */
export class LaterVersionError extends Error {
  override name = "LaterVersionError";
}

interface OpenDatabaseOptions {
  /** True: locks out other processes until it is closed, and needs no shared-memory file. */
  readonly exclusive?: boolean;
}

/** Size that the journal is truncated to after a checkpoint, so that a burst does not take disk space for good. */
const maxJournalBytes = 16 * 1024 * 1024;

function isDamage(error: unknown): boolean {
  if (error instanceof DamagedDatabaseError) return true;
  const code = (error as { code?: unknown }).code;
  return code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB" || code === "SQLITE_IOERR_SHORT_READ";
}

/** True for SQLite's errors that lack the file's path, all but "in use", whose callers check its code. */
function isOfItsDisk(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  return code.startsWith("SQLITE_") && !code.startsWith("SQLITE_BUSY");
}

/** @throws LaterVersionError for a file whose changes this program could not live with */
function refuseLaterSchema(database: Database, path: string, applied: number, known: number): void {
  if (applied <= known || isUsableBy(database, known)) return;
  throw new LaterVersionError(`${path} has schema version ${applied}; this program knows up to ${known}`);
}

function migrate(database: Database, migrations: readonly Migration[], applied: number): void {
  for (let version = applied; version < migrations.length; version += 1) {
    const statements = migrations[version] as string;
    database.transaction(() => {
      database.run(statements);
      database.run(`PRAGMA user_version = ${version + 1}`);
      database.run(usableFromPragma(usableFrom(migrations.slice(0, version + 1))));
    })();
  }
}

/** Schema version of a file; 0 without one, and where it can't be read, which opening it will say. */
function schemaVersionOf(path: string): number {
  if (!existsSync(path)) return 0;
  try {
    const database = new Database(path, { readwrite: true, create: false, strict: true });
    try {
      return database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    } finally {
      database.close();
    }
  } catch {
    return 0;
  }
}

function openAndMigrate(path: string, migrations: readonly Migration[], options: OpenDatabaseOptions): Database {
  const database = new Database(path, { create: true, strict: true });
  try {
    database.run("PRAGMA busy_timeout = 5000");
    if (options.exclusive === true) database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run(`PRAGMA journal_size_limit = ${maxJournalBytes}`);
    database.run("PRAGMA synchronous = NORMAL");
    // What is removed is overwritten, so that it can't be read from the file any more.
    database.run("PRAGMA secure_delete = ON");
    const check = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (check?.quick_check !== "ok") throw new DamagedDatabaseError(`quick_check says: ${check?.quick_check}`);
    const applied = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    refuseLaterSchema(database, path, applied, migrations.length);
    migrate(database, migrations, applied);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const asideMark = ".corrupt-";
const shownForMs = dayMs;

function moveAside(path: string, nowMs: number, error: unknown, log: Logger): void {
  const asidePath = path + asideMark + nowMs;
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      renameSync(path + suffix, asidePath + suffix);
    } catch (renameError) {
      if ((renameError as NodeJS.ErrnoException).code !== "ENOENT") throw renameError;
    }
  }
  log.error(
    { path, asidePath, err: String(error) },
    "STATE FILE DAMAGED: moved aside, starting with an empty one; its content is not used until it is repaired by hand",
  );
}

/** Explains in a sentence for /health that a state file was moved aside within the last day; null when none was. */
export function recentDamage(path: string, nowMs: number): string | null {
  let names: string[];
  try {
    names = readdirSync(dirname(path));
  } catch {
    return null;
  }
  const beginning = basename(path) + asideMark;
  const times = names
    .filter((name) => name.startsWith(beginning))
    .map((name) => Number(name.slice(beginning.length)))
    .filter((atMs) => Math.abs(nowMs - atMs) <= shownForMs);
  if (times.length === 0) return null;
  return `${basename(path)} was damaged and moved aside (${beginning}${Math.max(...times)}): its content is not used`;
}

/** Refuses pipes and devices: opening them could hang or do harm. */
function assertFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) throw new DamagedDatabaseError("it is not a file");
}

/**
 * Opens an SQLite file in WAL mode and migrates its schema. A damaged file is moved aside (never deleted) and replaced by an empty one, with an error
 * in the log that names both.
 * @throws Error naming the file when it can't be opened, is in use by another process, or was written by a later version of the program.
 */
export function openDatabase(
  path: string,
  migrations: readonly Migration[],
  log: Logger,
  nowMs: number,
  options: OpenDatabaseOptions = {},
): Database {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Error(`the state directory ${dirname(path)} can't be used`, { cause });
  }
  try {
    assertFile(path);
    const applied = schemaVersionOf(path);
    // Before it is opened, as it may then be locked for all but one.
    if (applied > 0 && applied < migrations.length) keepCopy(path, applied, migrations, log);
    const database = openAndMigrate(path, migrations, options);
    dropOldCopies(path, nowMs);
    return database;
  } catch (error) {
    if (error instanceof LaterVersionError && takeCopy(path, migrations.length, nowMs, log))
      return openAndMigrate(path, migrations, options);
    if (!isDamage(error))
      throw isOfItsDisk(error) ? new Error(`the state file ${path} can't be opened`, { cause: error }) : error;
    moveAside(path, nowMs, error, log);
    return openAndMigrate(path, migrations, options);
  }
}
