import type { Database } from "bun:sqlite";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Logger } from "#platform/log.ts";
import { describeError } from "../errors.ts";
import { dayMs } from "../time.ts";
import { copyDatabase } from "./copy-database.ts";

/** Marks an SQLite file as ours, in the upper half of its application id; the lower half is the oldest schema version that can use it. */
const mark = 0x7468;
const copyMark = ".schema-";
/** Larger files are copied only before a change that the version before can't live with. */
const maxCopiedBytes = 256 * 1024 * 1024;
/** Time after which a new version will hardly be given up any more. */
const copyKeptMs = 7 * dayMs;

const additions = [
  /^CREATE TABLE\b/i,
  /^CREATE INDEX\b/i,
  // Rows of the version before lack the column's value.
  /^ALTER TABLE \S+ ADD COLUMN (?!(?:(?!DEFAULT)[\s\S])*\bNOT NULL\b(?![\s\S]*\bDEFAULT\b))/i,
];

/** True for a step after which a program that does not know it can still read and write all that it knows. */
export function onlyAdds(step: string): boolean {
  const statements = step
    .replaceAll(/--.*$/gm, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
  return statements.every((statement) => additions.some((addition) => addition.test(statement)));
}

/** Oldest schema version whose programs can use a file of the newest. */
export function usableFrom(steps: readonly string[]): number {
  let from = steps.length;
  while (from > 1 && onlyAdds(steps[from - 1] as string)) from -= 1;
  return from;
}

/** Text of the pragma by which a file says who can use it. */
export const usableFromPragma = (from: number) => `PRAGMA application_id = ${mark * 0x10000 + from}`;

/** Returns whether a program that knows up to `known` can use a file of a later version, from the mark that version has written into it. */
export function isUsableBy(database: Database, known: number): boolean {
  const id = database.query<{ application_id: number }, []>("PRAGMA application_id").get()?.application_id ?? 0;
  return id >>> 16 === mark && (id & 0xffff) <= known;
}

const copyPath = (path: string, version: number) => `${path}${copyMark}${version}`;

/**
 * Copies a file before its schema is changed, so that the version before has something to go back to.
 * @throws Error when it can't be copied and the version before could not use the changed one
 */
export function keepCopy(path: string, from: number, steps: readonly string[], log: Logger): void {
  const isNeeded = usableFrom(steps) > from;
  if (!isNeeded && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxCopiedBytes) return;
  try {
    copyDatabase(path, copyPath(path, from));
  } catch (error) {
    if (isNeeded) throw new Error(`${path} can't be copied before its schema is changed`, { cause: error });
    log.warn({ path, err: describeError(error) }, "the state was not copied before its schema was changed");
  }
}

/** Removes copies that are older than anyone goes back. */
export function dropOldCopies(path: string, nowMs: number): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(basename(path) + copyMark)) continue;
    const copy = join(dirname(path), name);
    const { mtimeMs } = statSync(copy, { throwIfNoEntry: false }) ?? { mtimeMs: nowMs };
    if (nowMs - mtimeMs > copyKeptMs) rmSync(copy, { force: true });
  }
}

/** Puts the copy for this version in the place of a file that a later one has changed, which is moved aside. False: there is none. */
export function takeCopy(path: string, known: number, nowMs: number, log: Logger): boolean {
  const copy = copyPath(path, known);
  if (!existsSync(copy)) return false;
  const asidePath = `${path}.later-${nowMs}`;
  for (const suffix of ["", "-wal", "-shm"])
    if (existsSync(path + suffix)) renameSync(path + suffix, asidePath + suffix);
  renameSync(copy, path);
  log.error(
    { path, asidePath, copy },
    "THE STATE OF A LATER VERSION WAS MOVED ASIDE: the copy from before the update is used, and records made since are only in the file that was moved",
  );
  return true;
}
