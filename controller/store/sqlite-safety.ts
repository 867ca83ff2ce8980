import type { Database } from "bun:sqlite";
import type { Freeze, SafetyStore } from "./store.ts";

interface FreezeRow {
  reason: string;
  since_ms: number;
  until_ms: number | null;
}

/** The freeze and the lease. */
export function createSafetyTables(database: Database): SafetyStore {
  const setFreeze = database.query(
    `INSERT OR REPLACE INTO freeze (id, reason, since_ms, until_ms) VALUES (1, $reason, $sinceMs, $untilMs)`,
  );
  // One statement, so that of two controllers that ask at once only one gets it.
  const takeLease = database.query<
    { holder: string },
    [{ holder: string; about: string; untilMs: number; nowMs: number }]
  >(
    `INSERT INTO lease (id, holder, about, expires_real_ms) VALUES (1, $holder, $about, $untilMs)
     ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, about = excluded.about, expires_real_ms = excluded.expires_real_ms
     WHERE lease.holder = excluded.holder OR lease.expires_real_ms <= $nowMs
     RETURNING holder`,
  );
  return {
    async saveFreeze({ reason, sinceMs, untilMs }) {
      setFreeze.run({
        reason,
        sinceMs: Math.round(sinceMs),
        untilMs: untilMs === null ? null : Math.round(untilMs),
      });
    },
    async removeFreeze() {
      database.run(`DELETE FROM freeze`);
    },
    async loadFreeze(): Promise<Freeze | null> {
      const row = database.query<FreezeRow, []>(`SELECT reason, since_ms, until_ms FROM freeze`).get();
      return row === null ? null : { reason: row.reason, sinceMs: row.since_ms, untilMs: row.until_ms };
    },
    async takeLease({ holder, about, realNowMs, forMs }) {
      const nowMs = Math.round(realNowMs);
      return takeLease.get({ holder, about, untilMs: nowMs + Math.round(forMs), nowMs }) !== null;
    },
    async giveUpLease(holder) {
      database.run(`DELETE FROM lease WHERE holder = ?`, [holder]);
    },
    async lease() {
      const row = database
        .query<{ holder: string; about: string; expires_real_ms: number }, []>(`SELECT * FROM lease`)
        .get();
      return row === null ? null : { holder: row.holder, about: row.about, expiresRealMs: row.expires_real_ms };
    },
  };
}
