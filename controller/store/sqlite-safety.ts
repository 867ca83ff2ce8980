import type { Database } from "bun:sqlite";
import { minuteMs } from "#platform/time.ts";
import type { RowQuarantine } from "./row-quarantine.ts";
import { FreezeRow, LeaseRow } from "./row-schemas.ts";
import type { Freeze, Lease, SafetyStore } from "./store.ts";

/** Tolerance for clocks: a lease that ends later than a new one by more than this is invalid. */
const clockStepMs = 10 * minuteMs;

/** Stands for a stored freeze whose reason and end can't be read. */
export const unreadableFreeze: Freeze = {
  reason: "the stored freeze can't be read: frozen until an operator ends it",
  sinceMs: 0,
  untilMs: null,
};

/** Tables of the freeze and the lease. */
export function createSafetyTables(database: Database, quarantine: RowQuarantine): SafetyStore {
  const setFreeze = database.query(
    `INSERT OR REPLACE INTO freeze (id, reason, since_ms, until_ms) VALUES (1, $reason, $sinceMs, $untilMs)`,
  );
  // One statement, so that of two controllers that ask at once only one gets it.
  const takeLease = database.query<
    { holder: string },
    [{ holder: string; about: string; untilMs: number; nowMs: number; farMs: number }]
  >(
    `INSERT INTO lease (id, holder, about, expires_real_ms) VALUES (1, $holder, $about, $untilMs)
     ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, about = excluded.about, expires_real_ms = excluded.expires_real_ms
     WHERE lease.holder = excluded.holder OR lease.expires_real_ms <= $nowMs OR lease.expires_real_ms > $farMs
     RETURNING holder`,
  );
  return {
    async saveFreeze({ reason, sinceMs, untilMs }) {
      setFreeze.run({ reason, sinceMs: Math.round(sinceMs), untilMs: untilMs === null ? null : Math.round(untilMs) });
    },
    async removeFreeze() {
      database.run(`DELETE FROM freeze`);
    },
    async loadFreeze(): Promise<Freeze | null> {
      const row = database
        .query<Freeze, []>(`SELECT reason, since_ms AS sinceMs, until_ms AS untilMs FROM freeze`)
        .get();
      return row === null ? null : (quarantine.decode("freeze", "1", FreezeRow, row) ?? unreadableFreeze);
    },
    async takeLease({ holder, about, realNowMs, forMs }) {
      const nowMs = Math.round(realNowMs);
      const untilMs = nowMs + Math.round(forMs);
      return takeLease.get({ holder, about, untilMs, nowMs, farMs: untilMs + clockStepMs }) !== null;
    },
    async giveUpLease(holder) {
      database.run(`DELETE FROM lease WHERE holder = ?`, [holder]);
    },
    async lease() {
      const row = database.query<Lease, []>(`SELECT holder, about, expires_real_ms AS expiresRealMs FROM lease`).get();
      return row === null ? null : quarantine.decode("lease", "1", LeaseRow, row);
    },
    // One machine's file has no other writer that could have been suspended with it.
    leaseTerm: () => null,
  };
}
