import type { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { allocationRoutes } from "#controller/api/allocation-routes.ts";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { costViewRoutes } from "#controller/api/finance/cost-view-routes.ts";
import { createHoursFromLines } from "#controller/cost/history/hours-from-lines.ts";
import { daysOf } from "#controller/cost/history/sum-costs.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { focusCsv } from "#controller/cost/reports/focus-csv.ts";
import { unknownAgent } from "#controller/fleet/agent-state.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { createIngestCounts } from "#controller/fleet/ingest-counts.ts";
import { MinuteIntake } from "#controller/fleet/minute-intake.ts";
import { createCostLines } from "#controller/store/costs/sqlite-costs.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createRowQuarantine } from "#controller/store/row-quarantine.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import { openDatabase } from "#platform/files/open-database.ts";
import { createCountedLog, createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, aPower } from "../../test/fakes/builders.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "10000" },
    days: { type: "string", default: "7" },
    json: { type: "boolean", default: false },
  },
});
const [agents, days] = [Number(values.agents), Number(values.days)];
const directory = mkdtempSync(join(tmpdir(), "thormesh-bench-cost-"));
const log = createLogger("bench", "silent");
const open = (name: string) => openDatabase(join(directory, name), controllerMigrations, log, 1);
const prices = configuredPrices({ tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 });
const idOf = (index: number) => `thor-${String(index).padStart(5, "0")}`;
const regionOf = (index: number) => `region-${index % 5}`;
/** Each agent serves one of two models to two of twenty tenants. */
function minuteOf(index: number, minuteStartMs: number, seq: number): MinuteData {
  const model = index % 2 === 0 ? "all-MiniLM-L6-v2" : "multilingual-e5-small";
  const tenant = (number: number, computeMs: number) => ({
    ...{ tenant: `tenant-${number % 20}`, requests: 120, texts: 240, tokens: 9000 },
    ...{ computeMs, cachedTexts: 20, queueMs: 130.5 },
  });
  const tenants = [tenant(index, 9000.25 + (index % 7)), tenant(index + 7, 4000.5)];
  const traffic = { ...aModel(model, 240, 13000.75 + (index % 7)), texts: 480, tokens: 18_000, tenants };
  const power = aPower({
    ...{ energyJ: 1800.5 + (index % 11), idleJ: 1200.25, activeJ: 600.25 + (index % 11) },
    models: [
      { model, energyJ: 600.25, tenants: tenants.map(({ tenant: name }) => ({ tenant: name, energyJ: 300.125 })) },
    ],
  });
  const minute = aMinute({ agentId: idOf(index), bootId: "4f1c8c1e", seq, minuteStartMs, power });
  return { ...minute, traffic: { ...minute.traffic, models: [traffic] } };
}
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const usedBytes = (database: Database) => {
  const get = (name: string) => Object.values(database.query(`PRAGMA ${name}`).get() as object)[0] as number;
  return (get("page_count") - get("freelist_count")) * get("page_size");
};

/** Takes in minutes of all agents as they come from the broker; CPU time of the median minute. */
async function ingest(withCosts: boolean): Promise<{ ms: number; bytes: number }> {
  const database = open(withCosts ? "with.db" : "without.db");
  const store = createSqliteStore(database);
  const fleet = createFleet();
  const startMs = Date.UTC(2026, 10, 30, 8);
  let nowMs = startMs;
  const ledger = new CostLedger({ store, prices, nowMs: () => nowMs });
  const births = Array.from({ length: agents }, (_, index) =>
    aBirth({ agentId: idOf(index), region: regionOf(index), bootId: "4f1c8c1e" }),
  );
  await ledger.recover(births);
  for (const birth of births) fleet.put({ ...unknownAgent(birth.agentId, nowMs), bootId: birth.bootId, birth });
  const intake = new MinuteIntake({
    ...{ fleet, store, counts: createIngestCounts(), minutesKeptMs: 14 * dayMs, usualCapacityQps: 300 },
    ...{ nowMs: () => nowMs, counted: createCountedLog(log, Date.now), onMinute() {}, onRebirth() {} },
    ...(withCosts ? { rate: (data: MinuteData) => ledger.rate(data) } : {}),
  });
  const before = usedBytes(database);
  const times: number[] = [];
  const minutes = 5;
  for (let minute = 0; minute < minutes; minute += 1) {
    const payloads = Array.from({ length: agents }, (_, index) =>
      new TextEncoder().encode(JSON.stringify(minuteOf(index, startMs + minute * minuteMs, minute + 1))),
    );
    nowMs = startMs + (minute + 1) * minuteMs;
    const begun = cpuMs();
    for (const payload of payloads) {
      const decoded = decodeMessage(MinuteData, payload);
      if (!decoded.ok) throw new Error(decoded.reason);
      const known = fleet.get(decoded.message.agentId);
      if (known === undefined) throw new Error("no such agent");
      const outcome = await intake.take(decoded.message, payload.byteLength, known);
      if (outcome !== "accepted") throw new Error(`a minute was ${outcome}`);
    }
    times.push(cpuMs() - begun);
  }
  const bytes = (usedBytes(database) - before) / agents / minutes;
  await store.close();
  return { ms: median(times), bytes };
}

/** Max days whose lines are computed from minutes; those of earlier days are copies of the first one. */
const maxComputedDays = 3;

/** Copies the lines of a day that is rolled up, by day and by hour of the fleet, to another day. */
function copyDay(database: Database, fromMs: number, toMs: number): void {
  for (const table of ["cost_device", "cost_work"]) {
    const columns = (database.query(`SELECT name FROM pragma_table_info(?)`).all(table) as { name: string }[]).map(
      ({ name }) => name,
    );
    const values = columns.map((name) => (name === "start_ms" ? `start_ms + ${toMs - fromMs}` : name));
    database.run(
      `INSERT INTO ${table} (${columns}) SELECT ${values} FROM ${table}
       WHERE (span_ms = ${dayMs} AND start_ms = ${fromMs})
         OR (span_ms = ${hourMs} AND start_ms >= ${fromMs} AND start_ms < ${fromMs + dayMs} AND agent_id = '')`,
    );
  }
  database.run(`INSERT INTO cost_rolled (start_ms, is_whole) VALUES (${toMs}, 1)`);
}

/** Fills a store with cost lines of some days by hour, through the code that stores a minute, and rolls them up. */
async function filled() {
  const database = open("lines.db");
  const store = createSqliteStore(database);
  const todayMs = Date.UTC(2026, 10, 30);
  const nowMs = todayMs + 14 * hourMs + 30 * minuteMs;
  const ledger = new CostLedger({ store, prices, nowMs: () => nowMs });
  await ledger.recover(
    Array.from({ length: agents }, (_, index) => aBirth({ agentId: idOf(index), region: regionOf(index) })),
  );
  const before = usedBytes(database);
  const lines = createCostLines(
    database,
    createRowQuarantine(() => undefined),
  );
  const computed = Math.min(days, maxComputedDays);
  const firstMs = todayMs - (computed - 1) * dayMs;
  for (let hour = firstMs; hour <= nowMs; hour += hourMs)
    database.transaction(() => {
      for (let index = 0; index < agents; index += 1) {
        const minute = minuteOf(index, hour, 1);
        lines.add(minute, ledger.rate(minute));
      }
    })();
  const hours = Math.floor((nowMs - firstMs) / hourMs) + 1;
  const ofHours = (usedBytes(database) - before) / agents / hours;
  const begun = cpuMs();
  await ledger.run();
  const rollMs = cpuMs() - begun;
  const ofDays = (usedBytes(database) - before - ofHours * agents * hours) / agents / (computed - 1);
  for (let earlier = 1; earlier <= days - computed; earlier += 1) copyDay(database, firstMs, firstMs - earlier * dayMs);
  return { database, store, ledger, nowMs, firstMs, ofHours, ofDays, rollMs };
}

/** Median time of some runs: on this machine as it is, and of its processor alone. */
async function timeOf(count: number, run: () => Promise<unknown> | unknown): Promise<{ ms: number; cpu: number }> {
  const times: number[] = [];
  const cpuTimes: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const begun = { ms: performance.now(), cpu: cpuMs() };
    await run();
    times.push(performance.now() - begun.ms);
    cpuTimes.push(cpuMs() - begun.cpu);
  }
  return { ms: median(times), cpu: median(cpuTimes) };
}

const withCosts = await ingest(true);
const without = await ingest(false);
const { database, store, ledger, nowMs, firstMs, ofHours, ofDays, rollMs } = await filled();
const parts = {
  ...{ store, ledger, fleetName: "bench", timeZone: "UTC", nowMs: () => nowMs, fleet: { agents: () => [] } },
} as unknown as ApiParts;
const app = allocationRoutes(parts);
const ask = async (query: string) => {
  const answer = await app.handle(new Request(`http://controller/${query}`));
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(text);
};
const window = `window=${days}d`;
const byTenant = await timeOf(9, () => ask(`allocation?${window}&aggregate=tenant`));
const byTenantModel = await timeOf(5, () =>
  ask(`allocation?${window}&aggregate=tenant,model&includeIdle=true&step=1d`),
);
const byAgent = await timeOf(1, () => ask(`allocation/summary?${window}&aggregate=agent`));
const page = costViewRoutes(parts);
let asked = 0;
/** Time of an answer of the page of costs that was not given before: each asks for another number of groups. */
const viewOf = (by: string, filter = "") =>
  timeOf(3, async () => {
    asked += 1;
    const answer = await page.handle(
      new Request(
        `http://controller/api/v1/cost/view?${window}&by=${by}&top=${asked}&filter=${encodeURIComponent(filter)}`,
      ),
    );
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(text);
  });
const viewByTenant = await viewOf("tenant");
const viewByAgent = await viewOf("agent");
const viewOfOne = await viewOf("model", `agent:"${idOf(7)}"`);
const viewOfTenant = await viewOf("agent", `tenant:"tenant-3"`);
const all = await timeOf(1, () => ask(`allocation?${window}`));
const summary = await timeOf(1, () => ask(`allocation/summary?${window}&aggregate=agent&step=1d`));
const assets = await timeOf(1, () => ask(`assets?${window}`));
const history = createHoursFromLines({ store, ledger, nowMs: () => nowMs });
const focus = await timeOf(1, async () => {
  const found = daysOf(await history.hours(nowMs - days * dayMs, nowMs), "UTC");
  const csv = focusCsv(found, { fleet: "bench", timeZone: "UTC", costCentreOf: () => null });
  if (csv === null) throw new Error("more charges than a file may have");
});
const memoryMb = Math.round(process.memoryUsage.rss() / 1e6);
const plain = database.query(
  `SELECT region, tenant, model, sum(used_micro), sum(used_pico), sum(requests) FROM cost_work
   WHERE span_ms = ${hourMs} AND start_ms >= ? AND start_ms <= ? AND agent_id > '' GROUP BY region, tenant, model`,
);
const hoursAdded = await timeOf(1, () => plain.all(firstMs, nowMs));
const timeToText = ({ ms, cpu }: { ms: number; cpu: number }) => `${ms.toFixed(0)} ms (${cpu.toFixed(0)} ms CPU)`;
const gb = (bytes: number) => (bytes / 1e9).toFixed(2);
const linesOf30Days = agents * 30 * (24 * ofHours + ofDays);
const row = (what: string, figure: string, beside: string, bar: string) => ({ what, figure, beside, bar });
printRows(
  [
    row(
      `one minute of ${agents} agents`,
      `${(withCosts.ms / 1000).toFixed(2)} s CPU`,
      `${(withCosts.ms / without.ms).toFixed(2)} x without cost lines`,
      "2 s",
    ),
    row("a minute on record", `${Math.round(withCosts.bytes)} B`, `${Math.round(without.bytes)} B without lines`, ""),
    row("lines of an agent's hour", `${Math.round(ofHours)} B`, `${Math.round(24 * ofHours)} B a day`, ""),
    row("lines of an agent's day", `${Math.round(ofDays)} B`, "fleet's hours and days included", ""),
    row(
      `lines of 30 days of ${agents} agents`,
      `${gb(linesOf30Days)} GB`,
      `${gb(agents * 30 * 1440 * without.bytes)} GB of minutes`,
      "20 GB",
    ),
    row(`rolling up ${days} days`, `${(rollMs / 1000).toFixed(1)} s CPU`, "in slices", ""),
    row(
      `/allocation?${window}&aggregate=tenant`,
      timeToText(byTenant),
      `${(hoursAdded.cpu / byTenant.cpu).toFixed(1)} x less CPU than adding up the agents' hours`,
      "300 ms",
    ),
    row("by tenant and model, idle, each day", timeToText(byTenantModel), "", ""),
    row("by agent (summary)", timeToText(byAgent), "", ""),
    row("the page of costs, by tenant", timeToText(viewByTenant), "both windows: this and the one before", "1 s"),
    row("the page of costs, by device", timeToText(viewByAgent), "", "1 s"),
    row("the page of costs, by device, of a tenant", timeToText(viewOfTenant), "", "1 s"),
    row("the page of costs, one device's models", timeToText(viewOfOne), "", "1 s"),
    row(`/allocation?${window}`, timeToText(all), "each agent, tenant and model", ""),
    row("by agent (summary), each day", timeToText(summary), "", ""),
    row("/assets", timeToText(assets), "", ""),
    row("FOCUS export", timeToText(focus), "first read of the hours", ""),
    row("memory of this program", `${memoryMb} MB`, "", ""),
  ],
  values.json === true,
);
await store.close();
rmSync(directory, { recursive: true, force: true });
