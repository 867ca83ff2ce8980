import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { decodeOwnText } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { tenantInJson } from "#protocol/tenant-in-json.ts";

export interface OutboxEntry {
  readonly id: number;
  readonly data: MinuteData;
}

export interface OutboxLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** Reasons for losing records. */
export const lossCauses = ["outbox-full", "too-old", "memory-full", "unreadable", "unsendable", "refused"] as const;
export type LossCause = (typeof lossCauses)[number];

/** Permanent key of a minute. */
export type MinuteKey = Pick<MinuteData, "bootId" | "seq">;

interface Unwritten {
  readonly id: number;
  readonly data: MinuteData;
  readonly payload: string;
  readonly bytes: number;
  readonly createdMs: number;
}

/** Limits of records waiting in memory: a day of minutes, and 16 MiB. */
const maxTail = 1_440;
const maxTailBytes = 16 * 1024 * 1024;

/** A larger id is damage: read as a number it is another one, and its record could never be removed. */
const maxId = Number.MAX_SAFE_INTEGER;

const none: ReadonlySet<number> = new Set();

function prepare(database: StateDatabase) {
  return {
    insert: database.query(
      `INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ($bootId, $createdMs, $bytes, $payload)`,
    ),
    first: database.query<{ id: number; payload: string }, [number]>(
      `SELECT id, payload FROM outbox WHERE id > ? AND id <= ${maxId} ORDER BY id LIMIT 1`,
    ),
    rename: database.query(`UPDATE outbox SET payload = replace(payload, $from, $to) WHERE instr(payload, $from) > 0`),
    oldest: database.query<{ createdMs: number | null }, [number]>(
      `SELECT min(created_ms) AS createdMs FROM outbox WHERE id > ? AND id <= ${maxId}`,
    ),
    deleteUpTo: database.query(`DELETE FROM outbox WHERE id <= ?`),
    deleteOne: database.query(`DELETE FROM outbox WHERE id = ?`),
    bytesOf: database.query<{ bytes: number }, [number]>(`SELECT bytes FROM outbox WHERE id = ?`),
    deleteOld: database.query(`DELETE FROM outbox WHERE created_ms < ?`),
    sum: database.query<{ entries: number; bytes: number }, [number]>(
      `SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM outbox
       WHERE id > ? AND id <= ${maxId}`,
    ),
    deleteOverflow: database.query(
      `DELETE FROM outbox WHERE id IN (
         SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS newer_bytes FROM outbox) WHERE newer_bytes > ?)`,
    ),
  };
}

/**
 * Keeps records until they are stored elsewhere, on disk: appended before they are published, removed after their acknowledgement. While the
 * disk can't be written they wait in memory, and are sent from there as well.
 */
export class Outbox {
  readonly #database: StateDatabase;
  readonly #limits: OutboxLimits;
  readonly #storage: StorageWatch;
  readonly #onSettled: (minute: MinuteKey) => void;
  readonly #statements: ReturnType<typeof prepare>;
  /** Records in memory, in order; newer than those on disk. */
  #tail: Unwritten[] = [];
  #nextTailId = -1;
  /** All records on disk up to this one are done, but could not be deleted; 0 for none. */
  #doneUpTo = 0;
  /** The same of single records behind it, with their bytes. */
  readonly #done = new Map<number, number>();

  /** @param onSettled receives a record that was only in memory, once it is on disk or sent */
  constructor(
    database: StateDatabase,
    limits: OutboxLimits,
    storage: StorageWatch = strictStorage,
    onSettled: (minute: MinuteKey) => void = () => {},
  ) {
    this.#database = database;
    this.#limits = limits;
    this.#storage = storage;
    this.#onSettled = onSettled;
    this.#statements = prepare(database);
    const waiting = () => ({ records: this.#tail.length, bytes: this.#tailBytes() });
    storage.keep({ flush: () => this.#flush(), waiting });
  }

  /**
   * Appends a record; one that can't be written waits in memory. Returns true when it is on disk.
   * @param together writes in the same transaction
   */
  append(data: MinuteData, nowMs: number, together?: () => void): boolean {
    const payload = JSON.stringify(data);
    const entry = { data, payload, bytes: Buffer.byteLength(payload), createdMs: Math.round(nowMs) };
    if (this.#tail.length === 0 && this.#write(entry, together)) return true;
    this.#tail.push({ id: this.#nextTailId, ...entry });
    this.#nextTailId -= 1;
    return false;
  }

  /** Returns the oldest waiting entry whose id is not among `except`, or null. */
  oldest(except: ReadonlySet<number> = none): OutboxEntry | null {
    return this.#oldestOnDisk(except) ?? this.#tail.find(({ id }) => !except.has(id)) ?? null;
  }

  /** @param lost cause of the loss of a record that was not sent */
  remove(id: number, lost?: LossCause): void {
    if (lost !== undefined) this.#storage.lose(lost, 1);
    if (id > 0) {
      this.#deleteOne(id);
      return;
    }
    const entry = this.#tail.find((each) => each.id === id);
    this.#tail = this.#tail.filter((each) => each !== entry);
    if (entry !== undefined) this.#onSettled(entry.data);
  }

  /** Drops the oldest entries beyond the limits. Returns their number. */
  enforceLimits(nowMs: number): number {
    const { maxAgeMs, maxBytes } = this.#limits;
    const { deleteOld, deleteOverflow } = this.#statements;
    const oldestMs = Math.round(nowMs - maxAgeMs);
    const tooOld = this.#attemptDelete(() => deleteOld.run(oldestMs).changes, 0);
    const overflow =
      this.#onDisk().bytes <= maxBytes ? 0 : this.#attemptDelete(() => deleteOverflow.run(maxBytes).changes, 0);
    let forgotten = 0;
    for (let bytes = this.#tailBytes(); this.#tail.length > maxTail || bytes > maxTailBytes; forgotten += 1)
      bytes -= this.#tail.shift()?.bytes ?? 0;
    this.#storage.lose("too-old", tooOld);
    this.#storage.lose("outbox-full", overflow);
    this.#storage.lose("memory-full", forgotten);
    return tooOld + overflow + forgotten;
  }

  /** Returns the size, including the records in memory. */
  size(): { readonly entries: number; readonly bytes: number } {
    const { entries, bytes } = this.#onDisk();
    return { entries: entries + this.#tail.length, bytes: bytes + this.#tailBytes() };
  }

  /** Returns the time of the oldest waiting record; null when none waits. @throws what the database throws */
  oldestMs(): number | null {
    const onDisk = this.#statements.oldest.get(this.#doneUpTo)?.createdMs ?? null;
    return onDisk ?? this.#tail[0]?.createdMs ?? null;
  }

  /** Puts another name in the place of a tenant's in all waiting records. Returns their number. @throws what the database throws */
  renameTenant(from: string, to: string): number {
    const names = { from: tenantInJson(from), to: tenantInJson(to) };
    let renamed = 0;
    this.#tail = this.#tail.map((entry) => {
      const payload = entry.payload.replaceAll(names.from, names.to);
      if (payload === entry.payload) return entry;
      renamed += 1;
      return { ...entry, payload, data: JSON.parse(payload), bytes: Buffer.byteLength(payload) };
    });
    return renamed + this.#statements.rename.run(names).changes;
  }

  /** Returns the number of records that are only in memory. */
  unwritten(): number {
    return this.#tail.length;
  }

  #oldestOnDisk(except: ReadonlySet<number>): OutboxEntry | null {
    for (let after = this.#doneUpTo; ; ) {
      const row = this.#storage.attempt("reading the outbox", () => this.#statements.first.get(after), null);
      if (row === null) return null;
      const { id } = row;
      if (this.#done.has(id) && after === this.#doneUpTo) {
        this.#done.delete(id);
        this.#doneUpTo = id;
      }
      if (id === this.#doneUpTo || this.#done.has(id) || except.has(id)) {
        after = id;
        continue;
      }
      const data = decodeOwnText(MinuteData, row.payload);
      if (data !== null) return { id: row.id, data };
      // A record that this program did not write must not block those behind it.
      this.remove(row.id, "unreadable");
    }
  }

  #onDisk(): { readonly entries: number; readonly bytes: number } {
    const sum = this.#storage.attempt("reading the outbox", () => this.#statements.sum.get(this.#doneUpTo), null);
    if (sum === null) return { entries: 0, bytes: 0 };
    let bytes = sum.bytes;
    for (const each of this.#done.values()) bytes -= each;
    return { entries: sum.entries - this.#done.size, bytes };
  }

  #tailBytes(): number {
    return this.#tail.reduce((bytes, entry) => bytes + entry.bytes, 0);
  }

  #write({ data, createdMs, bytes, payload }: Omit<Unwritten, "id">, together?: () => void): boolean {
    return this.#storage.attempt(
      "writing to the outbox",
      this.#database.transaction(() => {
        this.#statements.insert.run({ bootId: data.bootId, createdMs, bytes, payload });
        together?.();
        return true;
      }),
      false,
    );
  }

  #flush(): void {
    this.#deleteDone();
    for (let [next] = this.#tail; next !== undefined && this.#write(next); [next] = this.#tail) {
      this.#tail.shift();
      this.#onSettled(next.data);
    }
  }

  #deleteOne(id: number): void {
    const isDeleted = this.#attemptDelete(() => {
      this.#statements.deleteOne.run(id);
      return true;
    }, false);
    if (isDeleted) this.#done.delete(id);
    else if (id > this.#doneUpTo) {
      const row = this.#storage.attempt("reading the outbox", () => this.#statements.bytesOf.get(id), null);
      if (row !== null) this.#done.set(id, row.bytes);
    }
    if (isDeleted) this.#deleteDone();
  }

  /** Deletes what could not be deleted before. */
  #deleteDone(): void {
    if (this.#doneUpTo === 0 && this.#done.size === 0) return;
    const isDeleted = this.#attemptDelete(() => {
      this.#statements.deleteUpTo.run(this.#doneUpTo);
      for (const id of this.#done.keys()) this.#statements.deleteOne.run(id);
      return true;
    }, false);
    if (!isDeleted) return;
    this.#doneUpTo = 0;
    this.#done.clear();
  }

  #attemptDelete<T>(action: () => T, otherwise: T): T {
    return this.#storage.attempt("deleting from the outbox", action, otherwise);
  }
}
