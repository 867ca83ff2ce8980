import { Database, type SQLQueryBindings } from "bun:sqlite";
import { expect, test } from "bun:test";
import { createDesiredDocument } from "#agent/mesh/desired-document.ts";
import { createBoardFigures } from "#agent/power/calibration/board-figures.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { createStoredText } from "#agent/stored-text.ts";
import { lossCauses, Outbox } from "#agent/telemetry/outbox.ts";
import { OutboxSender } from "#agent/telemetry/outbox-sender.ts";
import { MinuteCycle } from "#agent/traffic/minute-cycle.ts";
import { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { createScoreStore } from "#forecast/blend/score-store.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { createTrainedModels } from "#forecast/night/trained-models.ts";
import { KeptTrees } from "#forecast/trees/kept-trees.ts";
import { createStorageWatch } from "#platform/files/storage-watch.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { aDesired, aMinute } from "../fakes/builders.ts";
import { damagedValues } from "../fakes/damaged-values.ts";
import { createRecordingBroker } from "../fakes/memory-broker.ts";
import { aServed } from "../fakes/served-request.ts";

/** Values that may be found in a damaged column. */
const damage: readonly SQLQueryBindings[] = [
  ...damagedValues,
  "7",
  '{"traffic":null}',
  '{"traffic":{"models":[null]}}',
  '{"active":"../..","previous":7}',
];

const log = createLogger("test", "silent");
const startMs = 1_000_000 * minuteMs;
const documents = [
  "desired",
  "forecast-champion",
  "forecast-models",
  "forecast-training",
  "forecast-trees",
  "power-corrections",
];

function filledState(): Database {
  const database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  let nowMs = startMs;
  const record = new TrafficRecord(database, "earlier", nowMs, () => nowMs);
  const outbox = new Outbox(database, { maxBytes: 1e9, maxAgeMs: 1e12 });
  const accuracy = new StoredAccuracy(database);
  const history: MinuteRate[] = [];
  for (let minute = 0; minute < 20; minute += 1) {
    record.recordServed(aServed());
    nowMs += minuteMs;
    for (const each of record.closeMinutes(nowMs)) if (minute % 2 === 0) record.markQueued(each);
    outbox.append(aMinute({ bootId: "earlier", seq: minute + 1, minuteStartMs: nowMs - minuteMs }), nowMs);
    history.push({ minuteStartMs: nowMs - minuteMs, qps: 1 });
    accuracy.observe({ madeAtMs: nowMs, model: "m", reason: "", stepMs: minuteMs, qps: [1, 1] }, history);
  }
  for (const name of documents) createStoredText(database, name).save(JSON.stringify(aDesired()));
  return database;
}

/** Runs an agent's start and the minutes after on its state; returns the minutes that it sends. */
async function live(database: Database): Promise<MinuteData[]> {
  let nowMs = startMs + 60 * minuteMs;
  const storage = createStorageWatch(log, lossCauses, () => nowMs);
  const record = new TrafficRecord(database, "now", nowMs, () => nowMs, storage);
  const outbox = new Outbox(database, { maxBytes: 1e9, maxAgeMs: 1e12 }, storage, (each) => record.markQueued(each));
  const accuracy = new StoredAccuracy(database, storage);
  const memory = (name: string) => createStoredText(database, name, storage);
  const desired = createDesiredDocument(database, () => nowMs, log, storage);
  createScoreStore(memory("forecast-champion"), log).load(nowMs);
  new KeptTrees(memory("forecast-trees")).newest();
  const directory = createTrainedModels("/nowhere/models", memory("forecast-models")).activeDirectory();
  if (directory !== null) expect(directory).toMatch(/^\/nowhere\/models\/\d+$/);
  const figures = createBoardFigures({
    stateDir: "/nowhere",
    model: () => "m",
    memory: memory("power-corrections"),
    log,
  });
  await figures.refresh();
  const broker = createRecordingBroker();
  broker.setConnected(true);
  const sender = new OutboxSender({
    outbox,
    broker,
    identity: { fleet: "f", agentId: "thor-1", bootId: "now" },
    controllerAnswers: () => false,
    nowMs: () => nowMs,
    log,
  });
  const cycle = new MinuteCycle({
    identity: { fleet: "f", agentId: "thor-1", bootId: "now", region: "" },
    record,
    outbox,
    forecaster: {
      start: async () => {},
      stop: async () => {},
      forecast: async () => ({ madeAtMs: nowMs, model: "lstm", reason: "", stepMs: minuteMs, qps: [1, 1] }),
      describe: () => ({ model: "lstm", backend: "wasm", reason: "" }),
    },
    accuracy,
    power: { closeMinute: () => null },
    queueDepth: () => 0,
    role: () => "active",
    recordRetentionDays: 35,
    nowMs: () => nowMs,
    log,
    storage,
  });
  cycle.recover();
  for (let minute = 0; minute < 3; minute += 1) {
    record.recordServed(aServed());
    nowMs += minuteMs;
    await cycle.run();
    accuracy.figures(24 * 60 * minuteMs, nowMs);
    outbox.size();
    await sender.drain();
  }
  const held = desired.current();
  if (held !== null) expect(held.version).toBeLessThan(2 ** 31);
  return broker.published.map(({ payload }) => {
    const decoded = decodeMessage(MinuteData, new TextEncoder().encode(payload));
    if (!decoded.ok) throw new Error(`sent what can't be read: ${decoded.reason}`);
    return decoded.message;
  });
}

function tablesOf(database: Database) {
  const tables = database.query<{ name: string }, []>(`SELECT name FROM sqlite_master WHERE type = 'table'`).all();
  return tables.map(({ name }) => ({
    table: name,
    columns: database
      .query<{ name: string }, []>(`SELECT name FROM pragma_table_info('${name}')`)
      .all()
      .map((column) => column.name),
  }));
}

const columns = tablesOf(filledState()).flatMap(({ table, columns }) =>
  columns.map((column) => [`${table}.${column}`, table, column] as const),
);

test("the state is there, undamaged", async () => {
  expect((await live(filledState())).length).toBeGreaterThan(20);
});

test.each(columns)(
  "%s, damaged in every way, costs neither the start nor the minutes to come",
  async (_name, table, column) => {
    for (const value of damage) {
      const database = filledState();
      // One row, or all of them: of some tables sums are made.
      for (const where of ["rowid = (SELECT max(rowid) FROM TABLE)", "1"]) {
        try {
          database.run(`UPDATE ${table} SET ${column} = ? WHERE ${where.replace("TABLE", table)}`, [value]);
        } catch {
          continue; // SQLite does not take this value for this column
        }
        const sent = await live(database).catch((error) => {
          throw new Error(`${table}.${column} = ${String(value).slice(0, 40)} (${where}): ${error}`, { cause: error });
        });
        const now = sent.filter(({ bootId }) => bootId === "now").map(({ seq }) => seq);
        expect({ value: String(value).slice(0, 40), where, now }).toEqual({
          value: String(value).slice(0, 40),
          where,
          now: [1, 2, 3],
        });
        database.run("DELETE FROM minute_traffic WHERE boot_id = 'now'");
      }
      database.close();
    }
  },
);
