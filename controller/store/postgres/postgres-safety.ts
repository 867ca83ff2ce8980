import type { RowQuarantine } from "../row-quarantine.ts";
import { FreezeRow, LeaseRow } from "../row-schemas.ts";
import { unreadableFreeze } from "../sqlite-safety.ts";
import type { SafetyStore } from "../store.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

/** Longest wait for an answer about the lease: a controller without one stops acting in time. */
const leaseWithinMs = 3_000;

/**
 * Takes or renews the lease in one statement, by the server's clock alone. A new holder gets a higher term than any before: by the clock as well,
 * so that it grows even when the store was restored from an old copy.
 */
const take = `INSERT INTO lease (id, holder, about, api_url, term, expires_at)
     VALUES (1, $1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::int8, clock_timestamp() + $4 * interval '1 ms')
   ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, about = excluded.about, api_url = excluded.api_url,
     expires_at = excluded.expires_at,
     term = CASE WHEN lease.holder = excluded.holder THEN lease.term ELSE greatest(lease.term + 1, excluded.term) END
   WHERE lease.holder = excluded.holder OR lease.expires_at <= clock_timestamp()
   RETURNING term::float8 AS term`;

/** Tables of the freeze and the lease. */
export function createPostgresSafety(database: PostgresDatabase, quarantine: RowQuarantine): SafetyStore {
  return {
    async saveFreeze({ reason, sinceMs, untilMs }) {
      await database.run(
        `INSERT INTO "freeze" (id, reason, since_ms, until_ms) VALUES (1, $1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, since_ms = excluded.since_ms, until_ms = excluded.until_ms`,
        [reason, Math.round(sinceMs), untilMs === null ? null : Math.round(untilMs)],
      );
    },
    async removeFreeze() {
      await database.run(`DELETE FROM "freeze"`);
    },
    async loadFreeze() {
      const [row] = await database.rows(
        `SELECT reason, since_ms::float8 AS "sinceMs", until_ms::float8 AS "untilMs" FROM "freeze"`,
      );
      return row === undefined ? null : (quarantine.decode("freeze", "1", FreezeRow, row) ?? unreadableFreeze);
    },
    async takeLease({ holder, about, apiUrl = "", forMs }) {
      const [taken] = await database.unbound(
        (statements) => statements.rows<{ readonly term: number }>(take, [holder, about, apiUrl, Math.round(forMs)]),
        leaseWithinMs,
      );
      database.bindTo(taken?.term ?? null);
      return taken !== undefined;
    },
    async giveUpLease(holder) {
      // The term stays: the next one is higher.
      await database.unbound(
        (statements) =>
          statements.run(`UPDATE lease SET holder = '', expires_at = clock_timestamp() WHERE holder = $1`, [holder]),
        leaseWithinMs,
      );
    },
    async lease() {
      const [row] = await database.rows(
        `SELECT holder, about, api_url AS "apiUrl", round(extract(epoch FROM expires_at) * 1000)::float8 AS "expiresRealMs"
         FROM lease WHERE holder <> ''`,
        [],
        leaseWithinMs,
      );
      return row === undefined ? null : quarantine.decode("lease", "1", LeaseRow, row);
    },
    leaseTerm: () => database.term,
  };
}
