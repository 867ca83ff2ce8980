import { Database, type SQLQueryBindings } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseControllerConfig } from "#controller/check-config.ts";
import { Controller } from "#controller/controller.ts";
import { createControllerLease } from "#controller/controller-lease.ts";
import { rateMinute } from "#controller/cost/ledger/rate-minute.ts";
import { createFleetFreeze } from "#controller/scaling/loop/fleet-freeze.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import { systemClock } from "#platform/clock.ts";
import { openDatabase } from "#platform/files/open-database.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { aBirth, aDesired, aMinute, aPresence, aReported } from "../../fakes/builders.ts";
import { damagedValues } from "../../fakes/damaged-values.ts";
import { aDevice, aJoinToken } from "../../fakes/identity.ts";
import { readAnswer } from "../../fakes/read-answer.ts";

/** Values that may be found in a damaged column. */
const damage: readonly SQLQueryBindings[] = [
  ...damagedValues,
  '{"energyJ":1.7e308,"measuredMs":60000}',
  "\u0000\u001b[2J",
];

const log = createLogger("test", "silent");
/** Issued keys are damaged with everything else. */
const configuredKey = "a-configured-key";
let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "thormesh-damaged-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

interface Column {
  readonly name: string;
  readonly pk: number;
}

function tablesOf(database: Database): Map<string, Column[]> {
  const tables = database.query<{ name: string }, []>(`SELECT name FROM sqlite_master WHERE type = 'table'`).all();
  return new Map(
    tables.map(({ name }) => [
      name,
      database.query<Column, []>(`SELECT name, pk FROM pragma_table_info('${name}')`).all(),
    ]),
  );
}

const missing = [{ section: "devices" as const, what: "Thor" }];
const ratedBy = {
  ...{ region: "hall", priceKey: "0", gaps: JSON.stringify(missing) },
  prices: { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133, missing },
};

/** As many rows in each table as there are columns to damage, each in every way. */
async function fill(database: Database, rows: number): Promise<void> {
  const store = createSqliteStore(database);
  const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs;
  for (let row = 0; row < rows; row += 1) {
    const agentId = `thor-${row}`;
    const identity = { agentId, sentAtMs: nowMs };
    await store.saveAgent({
      agentId,
      presence: aPresence(identity),
      birth: aBirth(identity),
      reported: aReported(identity),
      lastHeardMs: nowMs,
    });
    await store.saveDesired(aDesired({ agentId, issuedAtMs: nowMs }));
    await store.saveOverride({
      agentId,
      role: "active",
      powerMode: "70W",
      powerModeCap: null,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + 3_600_000,
    });
    const minute = aMinute({ agentId, minuteStartMs: nowMs - (1 + (row % 90)) * minuteMs });
    await store.insertMinute(minute, "", rateMinute(minute, ratedBy));
    await store.insertMinute({ ...minute, seq: 2 }, "");
    await store.saveAgentFacts({
      ...{ agentId, fromMs: nowMs },
      facts: { region: "hall", board: "Thor", tariffUsdPerKwh: null, amortisationUsdPerHour: null },
    });
    database.run("INSERT INTO cost_stale VALUES (3600000, ?)", [row * 3_600_000]);
    database.run("INSERT INTO cost_rolled VALUES (?, 1)", [row * 86_400_000]);
    database.run("INSERT INTO cost_gap VALUES (?, ?, 60)", [nowMs - row * 3_600_000, ratedBy.gaps]);
    await store.setAside(minute, "for a test", nowMs, 100);
    await store.insertDecision({
      atMs: nowMs - row,
      kind: row % 2 === 0 ? "scale-out" : "note",
      rule: "test",
      reason: "a test",
      agents: [agentId],
      inputs: { row },
      outcome: { activated: [agentId], stoodBy: [], skipped: [] },
    });
    await store.saveKey({
      ...{
        id: String(row).padStart(8, "0"),
        name: "a key",
        role: "admin" as const,
        hash: "0".repeat(64),
        createdAtMs: nowMs,
      },
      ...{ expiresAtMs: nowMs, revokedAtMs: nowMs, lastUsedAtMs: nowMs, replaces: null, tenant: "red" },
    });
    await store.saveTenant({
      ...{ id: `tenant-${row}`, createdAtMs: nowMs },
      settings: { suspended: false, models: null, regions: null, costCentre: null },
    });
    await store.appendAudit({
      ...{ atMs: nowMs, actor: "root", role: "admin", from: "local", action: "test", target: agentId },
      ...{ phase: "done" as const, of: null, before: null, after: null, reason: null },
    });
    await store.saveKept(`part-${row}`, { row });
    const jobId = String(row).padStart(8, "0");
    await store.saveTenantJob({
      ...{ id: jobId, kind: "export" as const, tenant: `tenant-${row}`, pseudonym: "erased-1", nameHash: null },
      ...{ createdMs: nowMs, doneMs: row % 2 === 0 ? nowMs : null, agents: [agentId] },
    });
    await store.saveTenantReceipt(jobId, { of: agentId, atMs: nowMs, state: "done", stores: [] });
    await store.saveJoinToken(aJoinToken({ id: `t${String(row).padStart(9, "0")}` }));
    await store.saveDevice(aDevice({ agentId }));
    database.run(`INSERT INTO service VALUES (300000, ?, ?, 'mini', 5, 0, 0, 0, 0, 0, ?)`, [
      nowMs,
      `hall-${row}`,
      JSON.stringify(new Array(23).fill(0)),
    ]);
    database.run(
      `INSERT INTO forecast_made VALUES (?, ?, 'naive', 60000, 1, ${row % 2 === 0 ? "NULL" : "'[1,2]'"}, 2, 1, 1, 1, 1, 1, 1, ${row % 2 === 0 ? "'hit'" : "NULL"}, ?)`,
      [nowMs - row * minuteMs, nowMs, nowMs],
    );
  }
}

/** Writes what is damaged into one row after the other, each column in every way; how many were taken by SQLite. */
function damageRows(database: Database, table: string, columns: readonly Column[]): number {
  const keys = columns.filter(({ pk }) => pk > 0).map(({ name }) => name);
  const rows = database.query<Record<string, SQLQueryBindings>, []>(`SELECT ${keys.join()} FROM ${table}`).all();
  let damaged = 0;
  for (const { name } of columns) {
    for (const value of damage) {
      const row = rows[damaged];
      if (row === undefined) throw new Error(`table ${table} has too few rows for this test`);
      const where = keys.map((key) => `${key} = ?`).join(" AND ");
      try {
        database.run(`UPDATE ${table} SET ${name} = ? WHERE ${where}`, [value, ...keys.map((key) => row[key] ?? null)]);
        damaged += 1;
      } catch {
        // SQLite does not take this value for this column.
      }
    }
  }
  return damaged;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

test("with every column of every table damaged in every way the controller starts, decides and answers every GET", async () => {
  const path = join(stateDir, "controller.db");
  const database = openDatabase(path, controllerMigrations, log, Date.now());
  const oneRowTables = new Set(["cost_backfill", "freeze", "lease", "sqlite_sequence"]);
  const tables = [...tablesOf(database)].filter(([name]) => !oneRowTables.has(name));
  expect(tables.length).toBeGreaterThan(6);
  await fill(database, damage.length * Math.max(...tables.map(([, columns]) => columns.length)) + 2);
  for (const [table, columns] of tables) expect(damageRows(database, table, columns)).toBeGreaterThan(columns.length);
  database.run("UPDATE sqlite_sequence SET seq = 9223372036854775807");
  database.close();

  const controller = new Controller(
    parseControllerConfig(
      {
        stateDir,
        logLevel: "silent",
        api: { port: 0, apiKeys: [configuredKey] },
        broker: { port: 0 },
        scaling: { intervalMs: 1000, offsetMs: 0, warmUpMs: 0 },
      },
      "the test",
    ),
    {
      log,
      clock: systemClock,
      forecaster: {
        async start() {},
        async stop() {},
        forecast: async (_history, nowMs) => ({
          madeAtMs: Math.round(nowMs),
          model: "naive",
          reason: "test",
          stepMs: minuteMs,
          qps: [1, 2, 3],
        }),
        describe: () => ({ model: "naive", backend: "none", reason: "test" }),
      },
    },
  );
  await controller.start();
  try {
    const ask = async (path: string) => {
      const answer = await fetch(controller.url + path, { headers: { authorization: `Bearer ${configuredKey}` } });
      const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
      return { path, status: answer.status, text: await readAnswer(answer), isJson };
    };
    const { paths } = JSON.parse((await ask("/openapi/json")).text) as {
      paths: Record<string, Record<string, Operation>>;
    };
    const windows = ["1h", "24h", "14d", "0,8640000000000000"];
    const targets = Object.entries(paths).flatMap(([route, methods]) => {
      if (methods["get"] === undefined) return [];
      const names = (methods["get"].parameters ?? []).map(({ name }) => name);
      const plain = route.replace("{id}", route.includes("decisions") ? "3" : "thor-3");
      if (names.includes("window")) return windows.map((window) => `${plain}?window=${window}`);
      if (names.includes("limit")) return [`${plain}?limit=1000`, `${plain}?limit=1000&agent=thor-3&changes=true`];
      return [plain];
    });
    expect(targets.length).toBeGreaterThan(12);
    for (const target of targets) {
      const { status, text, isJson } = await ask(target);
      expect({ target, status: status < 500 ? "answers" : text.slice(0, 500) }).toEqual({ target, status: "answers" });
      // What a decision rests on may be anything; it is shown as it is kept.
      if (isJson && !/^\/(metrics|openapi|api\/v1\/decisions)/.test(target)) {
        const absurd: number[] = [];
        JSON.parse(text, (_key, value) => {
          if (typeof value === "number" && Math.abs(value) > 1e18) absurd.push(value);
          return value;
        });
        expect({ target, absurd }).toEqual({ target, absurd: [] });
      }
      expect({ target, escapes: text.includes("\u001b") }).toEqual({ target, escapes: false });
    }
    const health = JSON.parse((await ask("/healthz")).text);
    expect(health.status).toBe("degraded");
    const unreadable = health.unreadableRows.map(({ table }: { table: string }) => table);
    expect(unreadable.toSorted()).toEqual(
      [
        "agent",
        "api_key",
        "audit",
        "cost_agent",
        "decision",
        "desired",
        "device",
        "forecast_made",
        "join_token",
        "kept",
        "minute",
        "override",
        "service",
        "set_aside",
        "tenant",
        "tenant_job",
        "tenant_receipt",
      ].filter((table) => unreadable.includes(table)),
    );
    for (const table of [
      "agent",
      "api_key",
      "audit",
      "desired",
      "minute",
      "override",
      "decision",
      "service",
      "tenant",
      "tenant_job",
    ])
      expect(unreadable).toContain(table);
    // It continues deciding, and what it decides is kept.
    const newest = async () => JSON.parse((await ask("/api/v1/decisions?limit=1")).text).decisions[0]?.lastAtMs ?? 0;
    const startMs = Date.now();
    while ((await newest()) < startMs) await Bun.sleep(100);
  } finally {
    await controller.stop();
  }
});

describe.each(["freeze", "lease"])("table %s, which has one row", (table) => {
  const open = () => {
    const database = new Database(":memory:", { strict: true });
    for (const statements of controllerMigrations) database.run(statements);
    return database;
  };
  const columns =
    tablesOf(open())
      .get(table)
      ?.map(({ name }) => name) ?? [];

  test.each(columns.flatMap((column) => damage.map((value) => [column, value] as const)))(
    "%s as %p costs no start",
    async (column, value) => {
      const database = open();
      const store = createSqliteStore(database);
      await store.saveFreeze({ reason: "inventory", sinceMs: 1, untilMs: null });
      await store.takeLease({ holder: "elsewhere/1/x", about: "another", realNowMs: 1, forMs: 1000 });
      try {
        database.run(`UPDATE ${table} SET ${column} = ?`, [value]);
      } catch {
        return; // SQLite does not take this value for this column
      }
      const freeze = createFleetFreeze({ store, nowMs: () => 1000, onChange: () => undefined });
      await freeze.recover();
      // Whoever froze the fleet meant it: what can't be read holds.
      if (table === "freeze" && column !== "until_ms" && column !== "id") expect(freeze.current()).not.toBeNull();
      await freeze.end();
      expect(freeze.current()).toBeNull();
      const lease = createControllerLease({
        ...{ store, isShared: false, log, onLost: () => undefined },
        times: { forMs: 1000, renewMs: 500, actForMs: 1000 },
      });
      expect(await lease.acquire(AbortSignal.timeout(5000))).toBe(true);
      await lease.release();
      database.close();
    },
  );
});
