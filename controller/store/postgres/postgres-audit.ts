import { canonicalJson } from "#protocol/canonical-json.ts";
import { type AuditRow, pruneAction } from "../../audit/audit-check.ts";
import { type AuditDraft, type AuditEntry, AuditEntry as Entry, hashOfEntry, noHash } from "../../audit/audit-entry.ts";
import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import type { AuditStore } from "../store.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";

/** Greatest seq that is counted on from: a damaged one must not end the log. */
const maxSeq = Number.MAX_SAFE_INTEGER - 1;
const newest = `SELECT seq::float8 AS seq, hash FROM audit WHERE seq < ${maxSeq} ORDER BY audit.seq DESC LIMIT 1`;
const columns = `SELECT seq::float8 AS seq, hash, entry FROM audit`;

interface Head {
  readonly seq: number;
  readonly hash: string;
}

async function append(statements: Statements, draft: AuditDraft): Promise<AuditRow> {
  const [before] = await statements.rows<Head>(newest);
  const entry: AuditEntry = { ...draft, seq: (before?.seq ?? 0) + 1, prevHash: before?.hash ?? noHash };
  const hash = hashOfEntry(entry);
  await statements.run(`INSERT INTO audit (seq, at_ms, hash, entry) VALUES ($1, $2, $3, $4)`, [
    ...[entry.seq, entry.atMs, hash, canonicalJson(entry)],
  ]);
  return { seq: entry.seq, hash, entry };
}

/** Table of the audit log. Rows are only added, by this process or another one, and removed from the start. */
export function createPostgresAudit(database: PostgresDatabase, quarantine: RowQuarantine): AuditStore {
  // Another process must not append between reading the newest entry and writing.
  let last: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: (statements: Statements) => Promise<T>): Promise<T> => {
    const write = () =>
      database.write(async (statements) => {
        await statements.run(`LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE`);
        return work(statements);
      });
    // In the order of the calls: each takes a connection of its own.
    const written = last.then(write, write);
    last = written;
    return written;
  };
  return {
    appendAudit: (draft) => alone((statements) => append(statements, draft)),
    async auditEntries(afterSeq, limit) {
      const rows =
        afterSeq === null
          ? (
              await database.rows<Head & { entry: string }>(
                `${columns} WHERE seq < ${maxSeq} ORDER BY audit.seq DESC LIMIT $1`,
                [limit],
              )
            ).reverse()
          : await database.rows<Head & { entry: string }>(
              `${columns} WHERE seq > $1 AND seq < ${maxSeq} ORDER BY audit.seq LIMIT $2`,
              [afterSeq, limit],
            );
      return rows.map(({ seq, hash, entry }) => ({
        ...{ seq, hash },
        entry: quarantine.decode("audit", String(seq), Entry, columnValue(entry)),
      }));
    },
    auditHead: async () => (await database.rows<Head>(newest))[0] ?? null,
    pruneAudit: (beforeMs, maxKept, nowMs) =>
      alone(async (statements) => {
        const newestSeq = (await statements.rows<Head>(newest))[0]?.seq ?? 0;
        const [first] = await statements.rows<{ seq: number | null }>(
          `SELECT min(seq)::float8 AS seq FROM audit WHERE at_ms >= $1`,
          [Math.round(beforeMs)],
        );
        const throughSeq = Math.max((first?.seq ?? newestSeq + 1) - 1, newestSeq - maxKept);
        const [removed] = await statements.rows<Pick<Head, "hash">>(`SELECT hash FROM audit WHERE seq = $1`, [
          throughSeq,
        ]);
        if (removed === undefined) return 0;
        await append(statements, {
          ...{ atMs: Math.round(nowMs), actor: "the controller", role: "none", from: "local", action: pruneAction },
          ...{ target: "audit", phase: "done", of: null, before: null, reason: "retention" },
          after: { throughSeq, hash: removed.hash },
        });
        return statements.run(`DELETE FROM audit WHERE seq <= $1`, [throughSeq]);
      }),
  };
}
