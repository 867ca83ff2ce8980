import type { Database } from "bun:sqlite";
import { MinuteData } from "#protocol/messages.ts";
import { tenantInJson } from "#protocol/tenant-in-json.ts";
import { erasedDecision } from "./decision-record.ts";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import { TenantJobRow, TenantReceiptRow } from "./row-schemas.ts";
import type { TenantDataStore } from "./store.ts";

/** Tables of jobs with tenants' data, and the erasure of a tenant from the other tables. */
export function createTenantDataTables(database: Database, quarantine: RowQuarantine): TenantDataStore {
  const saveJob = database.query(`INSERT OR REPLACE INTO tenant_job (id, created_ms, document) VALUES (?, ?, ?)`);
  const removeJob = database.query(`DELETE FROM tenant_job WHERE id = ?`);
  const removeReceipts = database.query(`DELETE FROM tenant_receipt WHERE job_id = ?`);
  const jobs = database.query<{ id: string; document: string }, []>(
    `SELECT id, document FROM tenant_job ORDER BY created_ms, id`,
  );
  const saveReceipt = database.query(`INSERT OR REPLACE INTO tenant_receipt (job_id, of, document) VALUES (?, ?, ?)`);
  const receipts = database.query<{ of: string; document: string }, [string, string, number]>(
    `SELECT of, document FROM tenant_receipt WHERE job_id = ? AND of > ? ORDER BY of LIMIT ?`,
  );
  const nextMinute = database.query<{ startMs: number | null }, [number]>(
    `SELECT min(minute_start_ms) AS startMs FROM minute WHERE minute_start_ms > ?`,
  );
  const renameMinute = database.query(
    `UPDATE minute SET traffic = replace(traffic, $from, $to), power = replace(power, $from, $to)
     WHERE minute_start_ms = $startMs AND (instr(traffic, $from) > 0 OR instr(coalesce(power, ''), $from) > 0)`,
  );
  // The pseudonym may have a line of the hour already, of a record that came meanwhile.
  const nextCosts = database.query<{ spanMs: number; startMs: number }, [number, number]>(
    `SELECT span_ms AS spanMs, start_ms AS startMs FROM cost_work WHERE (span_ms, start_ms) > (?, ?)
     ORDER BY span_ms, start_ms LIMIT 1`,
  );
  const sums = [
    "used_micro",
    "used_pico",
    "offers_micro",
    "offers_pico",
    "active_kwh",
    "compute_ms",
    "requests",
    "tokens",
  ];
  const addCosts = database.query(
    `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, only_agent, ${sums.join()})
     SELECT span_ms, start_ms, agent_id, region, $to, model, only_agent, ${sums.join()} FROM cost_work
     WHERE span_ms = $spanMs AND start_ms = $startMs AND tenant = $from
     ON CONFLICT DO UPDATE SET ${sums.map((sum) => `${sum} = ${sum} + excluded.${sum}`).join()},
       only_agent = CASE WHEN only_agent = excluded.only_agent THEN only_agent ELSE '' END`,
  );
  const removeCosts = database.query(
    `DELETE FROM cost_work WHERE span_ms = $spanMs AND start_ms = $startMs AND tenant = $from`,
  );
  const moveCosts = database.transaction(
    (names: { from: string; to: string }, at: { spanMs: number; startMs: number }) => {
      addCosts.run({ ...names, ...at });
      return removeCosts.run({ from: names.from, ...at }).changes;
    },
  );
  const renameCosts = async (
    names: { from: string; to: string },
    fromMs = 0,
    beforeMs = Number.POSITIVE_INFINITY,
  ): Promise<number> => {
    let renamed = 0;
    for (let at = nextCosts.get(-1, -1); at !== null; ) {
      // The next length begins behind the last time of this one.
      const isBehind = at.startMs >= beforeMs;
      if (at.startMs >= fromMs && !isBehind) renamed += moveCosts(names, at);
      const next: [number, number] = at.startMs < fromMs ? [at.spanMs, fromMs - 1] : [at.spanMs, at.startMs];
      at = isBehind ? nextCosts.get(at.spanMs, Number.MAX_SAFE_INTEGER) : nextCosts.get(...next);
      await Bun.sleep(0);
    }
    return renamed;
  };
  const renameSetAside = database.query(
    `UPDATE set_aside SET document = replace(document, $from, $to) WHERE instr(document, $from) > 0`,
  );
  const eraseDecisions = database.query(
    `UPDATE decision SET reason = $reason, inputs = $inputs WHERE kind = 'spending' AND instr(inputs, $from) > 0`,
  );
  const removeTenant = database.query(`DELETE FROM tenant WHERE id = ?`);
  const removeKeys = database.query(`DELETE FROM api_key WHERE tenant = ?`);
  const inKept = database.query<{ rows: number }, [string]>(
    `SELECT count(*) AS rows FROM kept WHERE instr(document, ?) > 0`,
  );
  const inAudit = database.query<{ rows: number }, [string]>(
    `SELECT count(*) AS rows FROM audit WHERE instr(entry, ?) > 0`,
  );
  const setAside = database.query<{ agentId: string; seq: number; document: string }, [string]>(
    `SELECT agent_id AS agentId, seq, document FROM set_aside WHERE instr(document, ?) > 0 ORDER BY at_ms`,
  );

  const renameMinutes = async (names: { from: string; to: string }): Promise<number> => {
    let renamed = 0;
    for (let startMs = nextMinute.get(-1)?.startMs ?? null; startMs !== null; ) {
      renamed += renameMinute.run({ ...names, startMs }).changes;
      startMs = nextMinute.get(startMs)?.startMs ?? null;
      await Bun.sleep(0);
    }
    return renamed;
  };

  return {
    async saveTenantJob(job) {
      saveJob.run(job.id, Math.round(job.createdMs), JSON.stringify(job));
    },
    async loadTenantJobs() {
      return jobs
        .all()
        .flatMap(({ id, document }) => quarantine.decode("tenant_job", id, TenantJobRow, columnValue(document)) ?? []);
    },
    async removeTenantJob(id) {
      database.transaction(() => {
        removeReceipts.run(id);
        removeJob.run(id);
      })();
    },
    async saveTenantReceipt(jobId, receipt) {
      saveReceipt.run(jobId, receipt.of, JSON.stringify(receipt));
    },
    async tenantReceipts(jobId, after, limit) {
      return receipts
        .all(jobId, after, limit)
        .flatMap(
          ({ of, document }) =>
            quarantine.decode("tenant_receipt", `${jobId}/${of}`, TenantReceiptRow, columnValue(document)) ?? [],
        );
    },
    async eraseTenant(tenant, pseudonym) {
      const names = { from: tenantInJson(tenant), to: tenantInJson(pseudonym) };
      const minute = await renameMinutes(names);
      return {
        minute,
        costs: await renameCosts({ from: tenant, to: pseudonym }),
        decision: eraseDecisions.run({ from: names.from, ...erasedDecision(pseudonym) }).changes,
        setAside: renameSetAside.run(names).changes,
        tenant: removeTenant.run(tenant).changes,
        key: removeKeys.run(tenant).changes,
        kept: inKept.get(`"${tenant}"`)?.rows ?? 0,
        audit: inAudit.get(`"${tenant}"`)?.rows ?? 0,
      };
    },
    renameCosts: (tenant, name, fromMs, beforeMs) =>
      renameCosts({ from: tenant, to: name }, Math.ceil(fromMs), Math.ceil(beforeMs)),
    async wipeOverwritten() {
      // The journal still holds what was there before; in the file itself it was overwritten (secure_delete).
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    async setAsideNaming(tenant) {
      return setAside
        .all(tenantInJson(tenant))
        .flatMap(
          ({ agentId, seq, document }) =>
            quarantine.decode("set_aside", `${agentId}/${seq}`, MinuteData, columnValue(document)) ?? [],
        );
    },
  };
}
