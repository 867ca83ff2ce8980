import type { Database } from "bun:sqlite";
import { canonicalJson } from "#protocol/canonical-json.ts";
import { type AuditRow, pruneAction } from "../audit/audit-check.ts";
import { type AuditDraft, type AuditEntry, AuditEntry as Entry, hashOfEntry, noHash } from "../audit/audit-entry.ts";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import type { AuditStore } from "./store.ts";

/** Greatest seq that is counted on from: a damaged one must not end the log. */
const maxSeq = Number.MAX_SAFE_INTEGER - 1;

interface StoredRow {
  seq: number;
  hash: string;
  entry: string;
}

/** Table of the audit log. Rows are only added, by this process or another one, and removed from the start. */
export function createAuditTable(database: Database, quarantine: RowQuarantine): AuditStore {
  const insert = database.query(`INSERT INTO audit (seq, at_ms, hash, entry) VALUES ($seq, $atMs, $hash, $entry)`);
  const newest = database.query<{ seq: number; hash: string }, []>(
    `SELECT seq, hash FROM audit WHERE seq < ${maxSeq} ORDER BY seq DESC LIMIT 1`,
  );
  const after = database.query<StoredRow, [number, number]>(
    `SELECT seq, hash, entry FROM audit WHERE seq > ? AND seq < ${maxSeq} ORDER BY seq LIMIT ?`,
  );
  const last = database.query<StoredRow, [number]>(
    `SELECT seq, hash, entry FROM audit WHERE seq < ${maxSeq} ORDER BY seq DESC LIMIT ?`,
  );
  const firstFrom = database.query<{ seq: number | null }, [number]>(
    `SELECT min(seq) AS seq FROM audit WHERE at_ms >= ?`,
  );
  const rowAt = database.query<{ hash: string }, [number]>(`SELECT hash FROM audit WHERE seq = ?`);
  const remove = database.query(`DELETE FROM audit WHERE seq <= ?`);

  const append = (draft: AuditDraft): AuditRow => {
    const before = newest.get();
    const entry: AuditEntry = { ...draft, seq: (before?.seq ?? 0) + 1, prevHash: before?.hash ?? noHash };
    const hash = hashOfEntry(entry);
    insert.run({ seq: entry.seq, atMs: entry.atMs, hash, entry: canonicalJson(entry) });
    return { seq: entry.seq, hash, entry };
  };
  // Immediate: another process must not append between reading the newest entry and writing.
  const appendAlone = database.transaction(append);
  const prune = database.transaction((beforeMs: number, maxKept: number, nowMs: number) => {
    const newestSeq = newest.get()?.seq ?? 0;
    const throughSeq = Math.max((firstFrom.get(beforeMs)?.seq ?? newestSeq + 1) - 1, newestSeq - maxKept);
    const removed = rowAt.get(throughSeq);
    if (removed === null) return 0;
    append({
      ...{ atMs: Math.round(nowMs), actor: "the controller", role: "none", from: "local", action: pruneAction },
      ...{ target: "audit", phase: "done", of: null, before: null, reason: "retention" },
      after: { throughSeq, hash: removed.hash },
    });
    return remove.run(throughSeq).changes;
  });
  return {
    async appendAudit(draft) {
      return appendAlone.immediate(draft);
    },
    async auditEntries(afterSeq, limit) {
      const rows = afterSeq === null ? last.all(limit).reverse() : after.all(afterSeq, limit);
      return rows.map(({ seq, hash, entry }) => ({
        seq,
        hash: typeof hash === "string" ? hash : "",
        entry: quarantine.decode("audit", String(seq), Entry, columnValue(entry)),
      }));
    },
    async auditHead() {
      return newest.get();
    },
    async pruneAudit(beforeMs, maxKept, nowMs) {
      return prune.immediate(Math.round(beforeMs), maxKept, nowMs);
    },
  };
}
