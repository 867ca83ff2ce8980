import type { Database } from "bun:sqlite";
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, UsageError } from "#platform/errors.ts";
import { LaterVersionError, openDatabase, type StateDatabase } from "#platform/files/open-database.ts";
import type { Logger } from "#platform/log.ts";
import { agentStateMigrations } from "./state-migrations.ts";

/** Of the journal, before it goes into the file: a minute needs a few, and a small disk must not be full of it. */
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

/** The agent's state: on disk where that can be, and as long as it can be. */
export interface AgentState {
  /** Throws with the reason where the disk can't be used: the stores then keep in memory what they can't write. */
  readonly database: StateDatabase;
  /** Opens the file where it could not be opened before, and again where it was damaged, replaced or deleted. To be called every minute. */
  recover(): void;
  close(): void;
}

interface OutboxRow {
  readonly boot_id: string;
  readonly created_ms: number;
  readonly bytes: number;
  readonly payload: string;
}

/** After these the open file is of no more use. */
const isDamage = (error: unknown) => /^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown }).code));

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/**
 * Opens the state. A disk that is full, read-only or not there does not keep the agent from serving: it starts without, and `recover`
 * tries again.
 * @throws UsageError when another agent holds it, LaterVersionError when a later version of this program wrote it.
 */
export function createAgentState(path: string, log: Logger, nowMs: () => number): AgentState {
  let current: Database | null = null;
  let inode: number | null = null;
  let unusable = "";
  let damaged = false;
  let givenUp = false;
  let failed = false;

  const open = () => {
    current = openState(path, log, nowMs());
    inode = inodeOf(path);
    damaged = false;
  };
  const close = () => {
    try {
      current?.close();
    } catch (error) {
      log.warn({ err: describeError(error) }, "the state file could not be closed");
    }
    current = null;
  };
  try {
    open();
  } catch (error) {
    if (error instanceof UsageError || error instanceof LaterVersionError) throw error;
    unusable = describeError(error);
    log.error(
      { path, reason: unusable },
      "STARTED WITHOUT STATE: records are kept in memory until the state can be written",
    );
  }

  const usable = (): Database => {
    if (current === null) throw new Error(unusable);
    return current;
  };
  const noticing = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      failed = true;
      damaged ||= isDamage(error);
      throw error;
    }
  };

  /** An open file stays readable for this process after it was deleted, but not for the next one: it is recreated. */
  const rescue = (): OutboxRow[] => {
    if (inodeOf(path) === null) {
      log.error({ path }, "the state file was deleted: recreating it");
      mkdirSync(dirname(path), { recursive: true });
      usable().query("VACUUM INTO ?").run(path);
      return [];
    }
    log.error({ path }, "the state file was replaced by another one: using that one");
    return usable().query<OutboxRow, []>("SELECT boot_id, created_ms, bytes, payload FROM outbox ORDER BY id").all();
  };
  const reopen = () => {
    const unsent = current !== null && !damaged ? rescue() : [];
    close();
    open();
    for (const row of unsent)
      usable()
        .query(
          "INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ($boot_id, $created_ms, $bytes, $payload)",
        )
        .run({ ...row });
    log.info({ path }, "the state file is open");
  };

  /** On a disk that is full the journal may hold the room that is needed. */
  const makeRoom = (database: Database) => {
    try {
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // What failed will say so again.
    }
  };

  return {
    database: {
      query: ((sql: string) => ({
        get: (...values: never[]) =>
          noticing(() =>
            usable()
              .query(sql)
              .get(...values),
          ),
        all: (...values: never[]) =>
          noticing(() =>
            usable()
              .query(sql)
              .all(...values),
          ),
        run: (...values: never[]) =>
          noticing(() =>
            usable()
              .query(sql)
              .run(...values),
          ),
      })) as unknown as Database["query"],
      transaction: ((work: () => unknown) => () =>
        noticing(() => usable().transaction(work)())) as unknown as Database["transaction"],
    },
    recover() {
      if (givenUp) return;
      if (current !== null && !damaged && inodeOf(path) === inode) {
        if (failed) makeRoom(current);
        failed = false;
        return;
      }
      try {
        reopen();
      } catch (error) {
        // Asking again for what another agent holds would keep this one from its work for seconds each time.
        givenUp = error instanceof UsageError;
        if (current === null) unusable = describeError(error);
        else log.warn({ path, err: describeError(error) }, "the state file can't be reopened");
      }
    },
    close,
  };
}
