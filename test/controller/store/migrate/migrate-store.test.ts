import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { migrateStore } from "#controller/store/migrate/migrate-store.ts";
import { tablesOf } from "#controller/store/migrate/read-tables.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { PostgresDatabase } from "#controller/store/postgres/postgres-database.ts";
import { migratePostgres } from "#controller/store/postgres/postgres-migrations.ts";
import { createPostgresStore } from "#controller/store/postgres/postgres-store.ts";
import { createRowQuarantine } from "#controller/store/row-quarantine.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Store } from "#controller/store/store.ts";
import { minuteMs } from "#platform/time.ts";
import { aBirth, aDesired, aMinute, aPresence } from "../../../fakes/builders.ts";
import { aDevice, aJoinToken } from "../../../fakes/identity.ts";
import { createPostgres, type Postgres } from "../../../fakes/postgres.ts";

let server: Postgres;
let schemas = 0;
beforeAll(async () => {
  server = await createPostgres();
});
afterAll(() => server.dispose());

const silent = () => createRowQuarantine(() => undefined);
const nowMs = 20_000 * 86_400_000;

async function newTarget(): Promise<PostgresDatabase> {
  const database = new PostgresDatabase({
    ...{ url: server.url, username: "thormesh", password: () => "", tls: null, maxConnections: 2 },
    ...{ schema: `moved_${++schemas}`, isFenced: false },
  });
  await migratePostgres(database);
  return database;
}

function newSource(): { database: Database; store: Store } {
  const database = new Database(":memory:", { strict: true });
  for (const statements of controllerMigrations) database.run(statements);
  return { database, store: createSqliteStore(database) };
}

/** Rows in every table, more than a page of minutes. */
async function fill({ database, store }: ReturnType<typeof newSource>): Promise<void> {
  const agents = ["a", "b", "c"];
  for (const agentId of agents) {
    await store.saveAgent({
      ...{ agentId, presence: aPresence({ agentId }), birth: aBirth({ agentId }), reported: null, lastHeardMs: nowMs },
    });
    await store.saveDesired(aDesired({ agentId }));
    await store.saveDevice(aDevice({ agentId }), aJoinToken());
  }
  const rated = {
    ...{ region: "hall\0", priceKey: "p", gaps: "" },
    device: { energy: 5n, owning: 7n, energyKwh: 0.1, observedMs: 6e4, measuredMs: 6e4, computeMs: 12.5 },
    work: [
      { ...{ tenant: "red", model: "m", used: 12n, offers: 0n, activeKwh: 0.3, computeMs: 1, requests: 2, tokens: 3 } },
    ],
  };
  for (let seq = 1; seq <= 1_100; seq += 1)
    for (const agentId of agents)
      await store.insertMinute(
        aMinute({ agentId, seq, minuteStartMs: nowMs - seq * minuteMs, power: seq % 7 === 0 ? null : aMinute().power }),
        seq % 5 === 0 ? "hall\0of fame" : "hall",
        seq % 3 === 0 ? null : rated,
      );
  await store.setAside(aMinute({ seq: 9 }), "why", nowMs, 9);
  const decision = { atMs: nowMs, kind: "scale-out" as const, rule: "r", reason: "ä€😀", inputs: { a: 1 } };
  for (const each of [["a", "b"], [], ["c"]])
    await store.insertDecision({ ...decision, agents: each, outcome: { activated: each, stoodBy: [], skipped: [] } });
  await store.pruneDecisions(0, 2, 9);
  await store.saveOverride({
    ...{ agentId: "a", role: "active", powerMode: null, powerModeCap: "70W", createdAtMs: 1, expiresAtMs: 2 },
  });
  await store.saveFreeze({ reason: "stocktaking", sinceMs: 1, untilMs: null });
  await store.saveKept("part", { a: [1] });
  await store.saveKey({
    ...{ id: "aaaaaaaa", name: "root", role: "admin", hash: "0".repeat(64), createdAtMs: 2, expiresAtMs: null },
    ...{ revokedAtMs: null, lastUsedAtMs: null, replaces: null, tenant: null },
  });
  await store.saveTenant({
    ...{ id: "red", createdAtMs: 1, settings: { suspended: false, models: null, regions: null, costCentre: null } },
  });
  for (const atMs of [1, 2])
    await store.appendAudit({
      ...{ atMs, actor: "root", role: "admin", from: "local", action: "a", target: "t", phase: "done" },
      ...{ of: null, before: null, after: null, reason: null },
    });
  await store.saveTenantJob({
    ...{ id: "aaaaaaaa", kind: "erase", tenant: "blue", pseudonym: "e", nameHash: "0".repeat(64), createdMs: 5 },
    ...{ doneMs: null, agents: ["a"] },
  });
  await store.saveTenantReceipt("aaaaaaaa", { of: "a", atMs: 1, state: "done", stores: [] });
  await store.saveAgentFacts({
    ...{ agentId: "a", fromMs: nowMs },
    facts: { region: "hall", board: "Thor", tariffUsdPerKwh: null, amortisationUsdPerHour: 0.2 },
  });
  const day = Math.floor((nowMs - 10 * 3_600_000) / 86_400_000) * 86_400_000;
  await store.rollUpDay(day);
  // A row of any kind in the tables that have none by now.
  for (const { name } of tablesOf(database)) {
    if (database.query(`SELECT 1 FROM "${name}" LIMIT 1`).get() !== null) continue;
    const columns = database.query<{ type: string }, []>(`SELECT type FROM pragma_table_info('${name}')`).all();
    const values = columns.map(({ type }) => (type === "TEXT" ? "'x'" : type === "REAL" ? "0.5" : "1"));
    database.run(`INSERT INTO "${name}" VALUES (${values.join()})`);
  }
}

test("every table and column of the SQLite store has its twin at the server, with the same key", async () => {
  const target = await newTarget();
  for (const { name, columns, key } of tablesOf(newSource().database)) {
    const found = await target.rows<{ readonly name: string }>(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1`,
      [name],
    );
    expect({ name, columns: found.map((column) => column.name) }).toEqual({
      name,
      columns: expect.arrayContaining([...columns]),
    });
    const keys = await target.rows<{ readonly name: string }>(
      `SELECT attname AS name FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
       WHERE indrelid = $1::regclass AND indisprimary ORDER BY array_position(indkey::int2[], attnum)`,
      [name],
    );
    // The minute's name is unique over all days, and its day a part of the partitioned table's key.
    expect({ name, key: keys.map((column) => column.name).slice(0, key.length) }).toEqual({ name, key: [...key] });
  }
  await target.close();
});

test("a store is copied whole, and the copy is used as the source was", async () => {
  const source = newSource();
  await fill(source);
  const tables = tablesOf(source.database);
  for (const { name } of tables)
    expect({ name, rows: source.database.query(`SELECT count(*) FROM "${name}"`).values()[0]?.[0] }).not.toEqual({
      name,
      rows: 0,
    });
  const target = await newTarget();
  const parts = { source: source.database, sourceId: "one", target, onRows: () => undefined };
  const moved = await migrateStore(parts);
  expect(moved.map(({ table }) => table)).toEqual(tables.map(({ name }) => name));
  expect(moved.find(({ table }) => table === "minute")?.rows).toBe(3_300);
  expect(await migrateStore(parts)).toEqual(moved);
  const store = await createPostgresStore(target, silent());
  const rows = async (from: Store) => {
    const minutes = [];
    for await (const minute of from.minutes(0, 4e12)) minutes.push(minute);
    return [
      minutes,
      await from.decisions({ limit: 9, agentId: "c" }),
      await from.loadDesired(),
      await from.loadDevices(),
    ];
  };
  expect(await rows(store)).toEqual(await rows(source.store));
  const hour = Math.floor((nowMs - 3_600_000) / 3_600_000) * 3_600_000;
  expect(await store.hourUse("a", hour)).toMatchObject({ rows: 60 });
  expect((await store.hourUse("a", hour)).observedMs).toBe((await source.store.hourUse("a", hour)).observedMs);
  expect(await store.insertMinute(aMinute({ agentId: "a", seq: 1, minuteStartMs: nowMs - minuteMs }))).toBe("repeat");
  // Ids count up from the highest that ever was.
  const outcome = { activated: [], stoodBy: [], skipped: [] };
  const next = { atMs: 1, kind: "note" as const, rule: "r", reason: "", agents: [], inputs: {}, outcome };
  expect(await store.insertDecision(next)).toBe(await source.store.insertDecision(next));
  expect(store.unreadableRows()).toEqual([]);
  await store.saveKept("part", 8);
  await expect(migrateStore(parts)).rejects.toThrow(
    /already copied into moved_\d+, and one of the two has been used since: table kept differs/,
  );
  await target.close();
});

test("a copy that was broken off is gone on with; what changed at the source meanwhile is copied anew", async () => {
  const source = newSource();
  await fill(source);
  const target = await newTarget();
  const copied: [string, number][] = [];
  const broken = (sourceId: string) =>
    migrateStore({
      ...{ source: source.database, sourceId, target },
      onRows: (table, rows) => {
        copied.push([table, rows]);
        if (table === "minute" && copied.filter(([name]) => name === table).length === 2) throw new Error("broken off");
      },
    });
  await expect(broken("one")).rejects.toThrow("broken off");
  await expect(broken("other")).rejects.toThrow(/expected an empty schema/);
  source.database.run(`UPDATE kept SET document = '7' WHERE name = 'part'`);
  copied.length = 0;
  const again = (name: string) => copied.filter(([table]) => table === name).reduce((sum, [, rows]) => sum + rows, 0);
  await migrateStore({
    ...{ source: source.database, sourceId: "one", target },
    onRows: (table, rows) => copied.push([table, rows]),
  });
  expect([again("minute"), again("desired"), again("kept")]).toEqual([3_300 - 2_000, 0, expect.any(Number)]);
  expect(again("kept")).toBeGreaterThan(0);
  expect((await target.rows<{ d: string }>(`SELECT document AS d FROM kept WHERE name = 'part'`))[0]?.d).toBe("7");
  await target.close();
});
