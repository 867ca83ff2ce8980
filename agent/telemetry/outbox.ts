import type { Database } from "bun:sqlite";
import type { MinuteData } from "#protocol/messages.ts";

export interface OutboxEntry {
  readonly id: number;
  readonly data: MinuteData;
}

export interface OutboxLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export interface Outbox {
  append(data: MinuteData, nowMs: number): void;
  /** The oldest entry that is waiting, or null. */
  oldest(): OutboxEntry | null;
  remove(id: number): void;
  /** Drops the oldest entries beyond the limits and returns how many. */
  enforceLimits(nowMs: number): number;
  size(): { readonly entries: number; readonly bytes: number };
}

/** What waits to be sent, on disk: appended before it is published, removed after the broker's acknowledgement. */
export function createOutbox(database: Database, limits: OutboxLimits): Outbox {
  const insert = database.query(
    `INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ($bootId, $createdMs, $bytes, $payload)`,
  );
  const first = database.query<{ id: number; payload: string }, []>(
    `SELECT id, payload FROM outbox ORDER BY id LIMIT 1`,
  );
  const deleteOne = database.query(`DELETE FROM outbox WHERE id = ?`);
  const deleteOld = database.query(`DELETE FROM outbox WHERE created_ms < ?`);
  const sum = database.query<{ entries: number; bytes: number }, []>(
    `SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM outbox`,
  );
  const deleteOverflow = database.query(
    `DELETE FROM outbox WHERE id IN (
       SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS newer_bytes FROM outbox) WHERE newer_bytes > ?)`,
  );
  const size = () => sum.get() ?? { entries: 0, bytes: 0 };

  return {
    append(data, nowMs) {
      const payload = JSON.stringify(data);
      insert.run({ bootId: data.bootId, createdMs: Math.round(nowMs), bytes: Buffer.byteLength(payload), payload });
    },
    oldest() {
      const row = first.get();
      return row === null ? null : { id: row.id, data: JSON.parse(row.payload) };
    },
    remove(id) {
      deleteOne.run(id);
    },
    enforceLimits(nowMs) {
      const tooOld = deleteOld.run(Math.round(nowMs - limits.maxAgeMs)).changes;
      if (size().bytes <= limits.maxBytes) return tooOld;
      return tooOld + deleteOverflow.run(limits.maxBytes).changes;
    },
    size,
  };
}
