import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { decodeOwnText } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";

export interface OutboxEntry {
  readonly id: number;
  readonly data: MinuteData;
}

export interface OutboxLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** Reasons for losing records. */
export const lossCauses = ["outbox-full", "too-old", "memory-full", "unreadable", "unsendable"] as const;
export type LossCause = (typeof lossCauses)[number];

/** A minute by the name it keeps for good. */
export type MinuteName = Pick<MinuteData, "bootId" | "seq">;

export interface Outbox {
  /**
   * Puts a record at the end; one that can't be written waits in memory. True when it is on disk.
   * @param together is written with it or not at all
   */
  append(data: MinuteData, nowMs: number, together?: () => void): boolean;
  /** The oldest entry that is waiting, or null. */
  oldest(): OutboxEntry | null;
  /** @param lost it was not sent, for this cause */
  remove(id: number, lost?: LossCause): void;
  /** Drops the oldest entries beyond the limits and returns how many. */
  enforceLimits(nowMs: number): number;
  /** With those in memory. */
  size(): { readonly entries: number; readonly bytes: number };
  /** Records that are only in memory. */
  unwritten(): number;
}

interface Unwritten {
  readonly id: number;
  readonly data: MinuteData;
  readonly payload: string;
  readonly bytes: number;
  readonly createdMs: number;
}

/** A day of minutes, and so many bytes, wait in memory at most. */
const longestTail = 1_440;
const largestTailBytes = 16 * 1024 * 1024;

/**
 * Records that wait to be sent, on disk: appended before it is published, removed after the broker's acknowledgement. While the disk takes
 * nothing, in memory, from where it is sent as well.
 * @param onSettled told of a record that was in memory only, once it is on disk or sent
 */
export function createOutbox(
  database: StateDatabase,
  limits: OutboxLimits,
  storage: StorageWatch = strictStorage,
  onSettled: (minute: MinuteName) => void = () => {},
): Outbox {
  const insert = database.query(
    `INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ($bootId, $createdMs, $bytes, $payload)`,
  );
  const first = database.query<{ id: number; payload: string }, [number]>(
    `SELECT id, payload FROM outbox WHERE id > ? ORDER BY id LIMIT 1`,
  );
  const deleteUpTo = database.query(`DELETE FROM outbox WHERE id <= ?`);
  const deleteOld = database.query(`DELETE FROM outbox WHERE created_ms < ?`);
  const sum = database.query<{ entries: number; bytes: number }, [number]>(
    `SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM outbox WHERE id > ?`,
  );
  const deleteOverflow = database.query(
    `DELETE FROM outbox WHERE id IN (
       SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS newer_bytes FROM outbox) WHERE newer_bytes > ?)`,
  );
  /** Newer than all that is on disk, in order. */
  let tail: Unwritten[] = [];
  let nextTailId = -1;
  /** Up to this one all that is on disk is done with and could not be deleted; 0: nothing is. */
  let doneUpTo = 0;
  let undeleted = false;

  const tailBytes = () => tail.reduce((bytes, entry) => bytes + entry.bytes, 0);
  const onDisk = () => storage.attempt("reading the outbox", () => sum.get(doneUpTo), null) ?? { entries: 0, bytes: 0 };
  const write = ({ data, createdMs, bytes, payload }: Omit<Unwritten, "id">, together?: () => void) =>
    storage.attempt(
      "writing to the outbox",
      database.transaction(() => {
        insert.run({ bootId: data.bootId, createdMs, bytes, payload });
        together?.();
        return true;
      }),
      false,
    );

  const flush = () => {
    if (undeleted) deleteDone();
    while (tail[0] !== undefined && write(tail[0])) {
      const [written] = tail.splice(0, 1);
      if (written !== undefined) onSettled(written.data);
    }
  };
  const deleteDone = () => {
    undeleted = !storage.attempt(
      "deleting from the outbox",
      () => {
        deleteUpTo.run(doneUpTo);
        return true;
      },
      false,
    );
    if (!undeleted) doneUpTo = 0;
  };
  storage.keep({ flush, waiting: () => ({ records: tail.length, bytes: tailBytes() }) });

  const oldestOnDisk = (): OutboxEntry | null => {
    for (;;) {
      const row = storage.attempt("reading the outbox", () => first.get(doneUpTo), null);
      if (row === null) return null;
      const data = decodeOwnText(MinuteData, row.payload);
      if (data !== null) return { id: row.id, data };
      // What this program did not write must not stand in the way of what it did.
      remove(row.id, "unreadable");
    }
  };
  const remove = (id: number, lost?: LossCause) => {
    if (lost !== undefined) storage.lose(lost, 1);
    if (id > 0) {
      doneUpTo = Math.max(doneUpTo, id);
      deleteDone();
      return;
    }
    const entry = tail.find((each) => each.id === id);
    tail = tail.filter((each) => each !== entry);
    if (entry !== undefined) onSettled(entry.data);
  };

  return {
    append(data, nowMs, together) {
      const payload = JSON.stringify(data);
      const entry = { data, payload, bytes: Buffer.byteLength(payload), createdMs: Math.round(nowMs) };
      if (tail.length === 0 && write(entry, together)) return true;
      tail.push({ id: nextTailId, ...entry });
      nextTailId -= 1;
      return false;
    },
    oldest: () => oldestOnDisk() ?? tail[0] ?? null,
    remove,
    enforceLimits(nowMs) {
      const oldestMs = Math.round(nowMs - limits.maxAgeMs);
      const tooOld = storage.attempt("deleting from the outbox", () => deleteOld.run(oldestMs).changes, 0);
      const overflow =
        onDisk().bytes <= limits.maxBytes
          ? 0
          : storage.attempt("deleting from the outbox", () => deleteOverflow.run(limits.maxBytes).changes, 0);
      let forgotten = 0;
      for (let bytes = tailBytes(); tail.length > longestTail || bytes > largestTailBytes; forgotten += 1)
        bytes -= tail.shift()?.bytes ?? 0;
      storage.lose("too-old", tooOld);
      storage.lose("outbox-full", overflow);
      storage.lose("memory-full", forgotten);
      return tooOld + overflow + forgotten;
    },
    size() {
      const { entries, bytes } = onDisk();
      return { entries: entries + tail.length, bytes: bytes + tailBytes() };
    },
    unwritten: () => tail.length,
  };
}
