import { hourMs } from "#platform/time.ts";
import { MinuteData } from "#protocol/messages.ts";
import { tenantInJson } from "#protocol/tenant-in-json.ts";
import { erasedDecision } from "../decision-record.ts";
import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import { TenantJobRow, TenantReceiptRow } from "../row-schemas.ts";
import type { TenantDataStore } from "../store.ts";
import { workSums } from "./costs/add-minutes.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

/** Tables that name tenants, of which an erasure leaves dead rows. */
const vacuumed = ["tenant", "api_key", "set_aside", "decision", "cost_work", "minute"];

/** Tables of jobs with tenants' data, and the erasure of a tenant from the other tables. */
export function createPostgresTenantData(database: PostgresDatabase, quarantine: RowQuarantine): TenantDataStore {
  const nextOf = async (table: string, column: string, afterMs: number): Promise<number | null> => {
    const [row] = await database.rows<{ readonly startMs: number | null }>(
      `SELECT min(${column})::float8 AS "startMs" FROM ${table} WHERE ${column} > $1`,
      [afterMs],
    );
    return row?.startMs ?? null;
  };
  /** Renames hour by hour, so that no transaction takes long. */
  const renameMinutes = async (from: string, to: string): Promise<number> => {
    let renamed = 0;
    let startMs = await nextOf("minute", "minute_start_ms", -1);
    while (startMs !== null) {
      const endMs = startMs + hourMs;
      renamed += await database.run(
        `UPDATE minute SET traffic = replace(traffic, $1, $2), power = replace(power, $1, $2)
         WHERE minute_start_ms >= $3 AND minute_start_ms < $4 AND (strpos(traffic, $1) > 0 OR strpos(coalesce(power, ''), $1) > 0)`,
        [from, to, startMs, endMs],
      );
      startMs = await nextOf("minute", "minute_start_ms", endMs - 1);
    }
    return renamed;
  };
  /** Moves the lines of one start: the pseudonym may have a line of the hour already, of a record that came meanwhile. */
  const moveCosts = (from: string, to: string, startMs: number) =>
    database.write(async (statements) => {
      await statements.run(
        `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, only_agent, ${workSums.join()})
         SELECT span_ms, start_ms, agent_id, region, $2, model, only_agent, ${workSums.join()} FROM cost_work
         WHERE start_ms = $3 AND tenant = $1
         ON CONFLICT (span_ms, start_ms, agent_id, region, tenant, model) DO UPDATE SET
           ${workSums.map((sum) => `${sum} = cost_work.${sum} + excluded.${sum}`).join()},
           only_agent = CASE WHEN cost_work.only_agent = excluded.only_agent THEN cost_work.only_agent ELSE '' END`,
        [from, to, startMs],
      );
      return statements.run(`DELETE FROM cost_work WHERE start_ms = $2 AND tenant = $1`, [from, startMs]);
    });
  const renameCosts = async (
    from: string,
    to: string,
    fromMs = 0,
    beforeMs = Number.MAX_SAFE_INTEGER,
  ): Promise<number> => {
    const starts = await database.rows<{ readonly startMs: number }>(
      `SELECT DISTINCT start_ms::float8 AS "startMs" FROM cost_work WHERE tenant = $1 AND start_ms >= $2 AND start_ms < $3`,
      [from, Math.ceil(fromMs), Math.ceil(beforeMs)],
    );
    let renamed = 0;
    for (const { startMs } of starts) renamed += await moveCosts(from, to, startMs);
    return renamed;
  };
  const countIn = async (table: string, column: string, text: string): Promise<number> => {
    const [row] = await database.rows<{ readonly rows: number }>(
      `SELECT count(*)::float8 AS rows FROM ${table} WHERE strpos(${column}, $1) > 0`,
      [text],
    );
    return row?.rows ?? 0;
  };
  return {
    async saveTenantJob(job) {
      await database.run(
        `INSERT INTO tenant_job (id, created_ms, document) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET created_ms = excluded.created_ms, document = excluded.document`,
        [job.id, Math.round(job.createdMs), JSON.stringify(job)],
      );
    },
    async loadTenantJobs() {
      const rows = await database.rows<{ readonly id: string; readonly document: string }>(
        `SELECT id, document FROM tenant_job ORDER BY created_ms, id`,
      );
      return rows.flatMap(
        ({ id, document }) => quarantine.decode("tenant_job", id, TenantJobRow, columnValue(document)) ?? [],
      );
    },
    removeTenantJob: (id) =>
      database.write(async (statements) => {
        await statements.run(`DELETE FROM tenant_receipt WHERE job_id = $1`, [id]);
        await statements.run(`DELETE FROM tenant_job WHERE id = $1`, [id]);
      }),
    async saveTenantReceipt(jobId, receipt) {
      await database.run(
        `INSERT INTO tenant_receipt (job_id, of, document) VALUES ($1, $2, $3)
         ON CONFLICT (job_id, of) DO UPDATE SET document = excluded.document`,
        [jobId, receipt.of, JSON.stringify(receipt)],
      );
    },
    async tenantReceipts(jobId, after, limit) {
      const rows = await database.rows<{ readonly of: string; readonly document: string }>(
        `SELECT of, document FROM tenant_receipt WHERE job_id = $1 AND of > $2 ORDER BY of LIMIT $3`,
        [jobId, after, limit],
      );
      return rows.flatMap(
        ({ of, document }) =>
          quarantine.decode("tenant_receipt", `${jobId}/${of}`, TenantReceiptRow, columnValue(document)) ?? [],
      );
    },
    async eraseTenant(tenant, pseudonym) {
      const [from, to] = [tenantInJson(tenant), tenantInJson(pseudonym)];
      const { reason, inputs } = erasedDecision(pseudonym);
      return {
        minute: await renameMinutes(from, to),
        costs: await renameCosts(tenant, pseudonym),
        decision: await database.run(
          `UPDATE decision SET reason = $2, inputs = $3 WHERE kind = 'spending' AND strpos(inputs, $1) > 0`,
          [from, reason, inputs],
        ),
        setAside: await database.run(
          `UPDATE set_aside SET document = replace(document, $1, $2) WHERE strpos(document, $1) > 0`,
          [from, to],
        ),
        tenant: await database.run(`DELETE FROM tenant WHERE id = $1`, [tenant]),
        key: await database.run(`DELETE FROM api_key WHERE tenant = $1`, [tenant]),
        kept: await countIn("kept", "document", `"${tenant}"`),
        audit: await countIn("audit", "entry", `"${tenant}"`),
      };
    },
    renameCosts,
    async wipeOverwritten() {
      // Dead rows are given free to be overwritten; the server's journal and copies of it are its operator's.
      for (const table of vacuumed) await database.rows(`VACUUM ${table}`);
    },
    async setAsideNaming(tenant) {
      const rows = await database.rows<{ agentId: string; seq: number; document: string }>(
        `SELECT agent_id AS "agentId", seq::float8 AS seq, document FROM set_aside WHERE strpos(document, $1) > 0 ORDER BY at_ms`,
        [tenantInJson(tenant)],
      );
      return rows.flatMap(
        ({ agentId, seq, document }) =>
          quarantine.decode("set_aside", `${agentId}/${seq}`, MinuteData, columnValue(document)) ?? [],
      );
    },
  };
}
