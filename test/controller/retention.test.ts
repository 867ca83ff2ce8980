import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { ControllerConfig } from "#controller/config.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { createFleetTraffic } from "#controller/fleet/traffic/fleet-traffic.ts";
import { Housekeeping } from "#controller/housekeeping.ts";
import { controllerDataMap } from "#controller/privacy/controller-data-map.ts";
import { TenantJobs } from "#controller/privacy/tenant-jobs.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { aMinute } from "../fakes/builders.ts";

const log = createLogger("test", "silent");
const { retention } = parseConfig(
  ControllerConfig,
  {
    retention: {
      minuteDays: 3,
      decisionDays: 5,
      auditDays: 31,
      receiptDays: 7,
      serviceDays: 32,
      costHourDays: 4,
      costDays: 33,
    },
  },
  "the test",
);
const startMs = 1000 * dayMs;

/** Puts one row into each table that a setting keeps for a time, and says for how many days; a new one in the data map fails until it is here. */
function fill(database: Database) {
  const store = createSqliteStore(database);
  const minute = aMinute({ minuteStartMs: startMs });
  const day = startMs;
  const work = (spanMs: number, agentId: string) =>
    database.run("INSERT INTO cost_work VALUES (?, ?, ?, 'eu', 'red', 'mini', 5, 6, 0, 0, 0.5, 100, 3, 30, 'a')", [
      spanMs,
      day,
      agentId,
    ]);
  const device = (spanMs: number, agentId: string) =>
    database.run("INSERT INTO cost_device VALUES (?, ?, ?, 'eu', 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, '', '', 0)", [
      spanMs,
      day,
      agentId,
    ]);
  const rows: Record<string, { days: number; plant: () => unknown; where?: string }[]> = {
    minute: [{ days: retention.minuteDays, plant: () => store.insertMinute(minute) }],
    set_aside: [{ days: retention.minuteDays, plant: () => store.setAside(minute, "why", startMs, 9) }],
    decision: [
      {
        days: retention.decisionDays,
        plant: () =>
          store.insertDecision({
            ...{ atMs: startMs, kind: "scale-out", rule: "r", reason: "", agents: [], inputs: {} },
            outcome: { activated: [], stoodBy: [], skipped: [] },
          }),
      },
    ],
    audit: [
      {
        ...{ days: retention.auditDays, where: "seq = 1" },
        plant: () =>
          store.appendAudit({
            ...{ atMs: startMs, actor: "a", role: "admin", from: "local", action: "x", target: "t", phase: "done" },
            ...{ of: null, before: null, after: null, reason: null },
          }),
      },
    ],
    service: [{ days: retention.serviceDays, where: `span_ms = ${hourMs}`, plant: () => undefined }],
    tenant_job: [
      {
        days: retention.receiptDays,
        plant: () =>
          store.saveTenantJob({
            ...{ id: "aaaaaaaa", kind: "export", tenant: "red", pseudonym: "erased-1", nameHash: null },
            ...{ createdMs: startMs, doneMs: startMs, agents: [] },
          }),
      },
    ],
    tenant_receipt: [
      {
        days: retention.receiptDays,
        plant: () => store.saveTenantReceipt("aaaaaaaa", { of: "a", atMs: startMs, state: "done", stores: [] }),
      },
    ],
    cost_work: [
      { days: retention.costHourDays, where: `span_ms = ${hourMs} AND agent_id > ''`, plant: () => work(hourMs, "a") },
      { days: retention.costDays, where: `span_ms = ${dayMs} AND agent_id > ''`, plant: () => work(dayMs, "a") },
      { days: retention.costDays, where: `span_ms = ${hourMs} AND agent_id = ''`, plant: () => work(hourMs, "") },
    ],
    cost_device: [
      {
        days: retention.costHourDays,
        where: `span_ms = ${hourMs} AND agent_id > ''`,
        plant: () => device(hourMs, "a"),
      },
      { days: retention.costDays, where: `span_ms = ${dayMs} AND agent_id > ''`, plant: () => device(dayMs, "a") },
      { days: retention.costDays, where: `span_ms = ${hourMs} AND agent_id = ''`, plant: () => device(hourMs, "") },
    ],
    cost_gap: [
      {
        days: retention.costDays,
        plant: () => database.run("INSERT INTO cost_gap VALUES (?, '[]', 1)", [day]),
      },
    ],
    forecast_made: [
      {
        // Outcomes are kept for the longest window of their figures.
        days: 30,
        plant: () =>
          database.run(
            "INSERT INTO forecast_made VALUES (?, ?, 'naive', 60000, 1, NULL, 2, 1, 1, 1, 1, 1, 1, 'hit', ?)",
            [...[startMs, startMs, startMs]],
          ),
      },
    ],
  };
  return { store, rows };
}

test("what a setting keeps for a time is there until then and gone afterwards, in every table of the data map", async () => {
  const database = new Database(":memory:", { strict: true });
  for (const statements of controllerMigrations) database.run(statements);
  const { store, rows } = fill(database);
  const named = controllerDataMap.filter(({ kind, kept }) => kind === "table" && kept.includes("retention."));
  expect(Object.keys(rows).sort()).toEqual(named.map(({ id }) => id.replace("controller.db/", "")).sort());
  for (const planted of Object.values(rows).flat()) await planted.plant();
  // Hours of agents go once their day is rolled up.
  database.run("INSERT INTO cost_rolled VALUES (?, 1)", [startMs]);
  let nowMs = startMs;
  const jobs = new TenantJobs({
    ...{ store, nowMs: () => nowMs, log },
    fleet: { agents: () => [], get: () => undefined },
    data: { erase: async () => [], exportable: async () => [] },
  });
  await jobs.load();
  const housekeeping = new Housekeeping({
    ...{ store, traffic: createFleetTraffic(), accuracy: new StoredAccuracy(database), jobs, retention, log },
    expiry: { run: async () => 0 },
    nowMs: () => nowMs,
  });
  const prices = configuredPrices({ tariffUsdPerKwh: null, amortisationUsdPerHour: null } as never);
  const ledger = new CostLedger({ store, prices, retention, nowMs: () => nowMs });
  const clean = async (atMs: number) => {
    nowMs = atMs;
    await housekeeping.clean();
    await ledger.prune();
  };
  const left = () =>
    Object.entries(rows).flatMap(([table, planted]) =>
      planted.flatMap(({ where = "1", days }) =>
        database.query<{ rows: number }, []>(`SELECT count(*) AS rows FROM ${table} WHERE ${where}`).get()?.rows === 0
          ? []
          : [`${table} ${where} ${days}`],
      ),
    );
  const all = Object.entries(rows).flatMap(([table, planted]) =>
    planted.map(({ where = "1", days }) => ({ text: `${table} ${where} ${days}`, days })),
  );
  for (const days of [...new Set(all.map((each) => each.days))].sort((a, b) => a - b)) {
    await clean(startMs + days * dayMs);
    expect({ days, left: left() }).toEqual({
      days,
      left: all.filter((each) => each.days >= days).map(({ text }) => text),
    });
    await clean(startMs + days * dayMs + hourMs);
    expect({ days, left: left() }).toEqual({
      days,
      left: all.filter((each) => each.days > days).map(({ text }) => text),
    });
  }
});
