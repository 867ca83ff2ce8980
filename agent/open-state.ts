import type { Database } from "bun:sqlite";
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, UsageError } from "#platform/errors.ts";
import { LaterVersionError, openDatabase, type StateDatabase } from "#platform/files/open-database.ts";
import type { Logger } from "#platform/log.ts";
import { agentStateMigrations } from "./state-migrations.ts";

/** Maximum pages of the journal: a minute needs a few, and it must not fill a small disk. */
const journalPages = 128;

/**
 * Opens the agent's state file for this process alone: a second agent would send the same records under another name.
 * @throws UsageError when another agent holds it.
 */
export function openState(path: string, log: Logger, nowMs: number): Database {
  let database: Database | undefined;
  try {
    database = openDatabase(path, agentStateMigrations, log, Math.round(nowMs), { exclusive: true });
    database.run(`PRAGMA wal_autocheckpoint = ${journalPages}`);
    database.run("BEGIN EXCLUSIVE");
    database.run("COMMIT");
    return database;
  } catch (cause) {
    database?.close();
    if (!isBusy(cause)) throw cause;
    throw new UsageError(`the state in ${path} is in use by another agent: give each its own stateDir`, { cause });
  }
}

function isBusy(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } | undefined };
  return [code, cause?.code].some((each) => typeof each === "string" && each.startsWith("SQLITE_BUSY"));
}

interface OutboxRow {
  readonly boot_id: string;
  readonly created_ms: number;
  readonly bytes: number;
  readonly payload: string;
}

/** Returns true for an error after which the open file is useless. */
const isDamage = (error: unknown) => /^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown }).code));

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/** Frees the journal's space on a full disk. */
function freeJournal(database: Database): void {
  try {
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // The next write reports the failure.
  }
}

/** State of the agent, on disk whenever the disk can be used. */
export class StateFile {
  readonly #path: string;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  #current: Database | null = null;
  #inode: number | null = null;
  /** Reason for the absence of an open file. */
  #unusable = "";
  #damaged = false;
  #failed = false;
  #givenUp = false;

  /**
   * Opens the state. A full, read-only or missing disk does not keep the agent from serving: it starts without state, and `recover`
   * tries again.
   * @throws UsageError when another agent holds it, LaterVersionError when a later version of this program wrote it.
   */
  constructor(path: string, log: Logger, nowMs: () => number) {
    this.#path = path;
    this.#log = log;
    this.#nowMs = nowMs;
    try {
      this.#open();
    } catch (error) {
      if (error instanceof UsageError || error instanceof LaterVersionError) throw error;
      this.#unusable = describeError(error);
      log.error(
        { path, reason: this.#unusable },
        "STARTED WITHOUT STATE: records are kept in memory until the state can be written",
      );
    }
  }

  /** Throws with the reason while the disk can't be used: the stores then keep unwritten records in memory. */
  readonly database: StateDatabase = {
    query: ((sql: string) => ({
      get: (...values: never[]) => this.#use((database) => database.query(sql).get(...values)),
      all: (...values: never[]) => this.#use((database) => database.query(sql).all(...values)),
      run: (...values: never[]) => this.#use((database) => database.query(sql).run(...values)),
    })) as unknown as Database["query"],
    transaction: ((work: () => unknown) => () =>
      this.#use((database) => database.transaction(work)())) as unknown as Database["transaction"],
  };

  /** Opens the file if it could not be opened before, and again if it was damaged, replaced or deleted. To be called every minute. */
  recover(): void {
    if (this.#givenUp) return;
    if (this.#current !== null && !this.#damaged && inodeOf(this.#path) === this.#inode) {
      if (this.#failed) freeJournal(this.#current);
      this.#failed = false;
      return;
    }
    try {
      this.#reopen();
    } catch (error) {
      // Each attempt at a file that another agent holds would block this one for seconds.
      this.#givenUp = error instanceof UsageError;
      const reason = describeError(error);
      if (this.#current === null) this.#unusable = reason;
      else this.#log.warn({ path: this.#path, err: reason }, "the state file can't be reopened");
    }
  }

  close(): void {
    try {
      this.#current?.close();
    } catch (error) {
      this.#log.warn({ err: describeError(error) }, "the state file could not be closed");
    }
    this.#current = null;
  }

  #open(): void {
    this.#current = openState(this.#path, this.#log, this.#nowMs());
    this.#inode = inodeOf(this.#path);
    this.#damaged = false;
  }

  #reopen(): void {
    const unsent = this.#current !== null && !this.#damaged ? this.#rescue(this.#current) : [];
    this.close();
    this.#open();
    for (const row of unsent)
      this.database
        .query(
          "INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ($boot_id, $created_ms, $bytes, $payload)",
        )
        .run({ ...row });
    this.#log.info({ path: this.#path }, "the state file is open");
  }

  /** Recreates a deleted file, which only this process can still read, or returns the unsent records of one that was replaced. */
  #rescue(database: Database): OutboxRow[] {
    const path = this.#path;
    if (inodeOf(path) === null) {
      this.#log.error({ path }, "the state file was deleted: recreating it");
      mkdirSync(dirname(path), { recursive: true });
      database.query("VACUUM INTO ?").run(path);
      return [];
    }
    this.#log.error({ path }, "the state file was replaced by another one: using that one");
    return database.query<OutboxRow, []>("SELECT boot_id, created_ms, bytes, payload FROM outbox ORDER BY id").all();
  }

  #use<T>(action: (database: Database) => T): T {
    if (this.#current === null) {
      this.#failed = true;
      throw new Error(this.#unusable);
    }
    try {
      return action(this.#current);
    } catch (error) {
      this.#failed = true;
      this.#damaged ||= isDamage(error);
      throw error;
    }
  }
}
