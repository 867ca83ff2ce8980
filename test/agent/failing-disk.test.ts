import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import pino from "pino";
import { createDesiredDocument } from "#agent/mesh/desired-document.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { createStoredText } from "#agent/stored-text.ts";
import { lossCauses, Outbox } from "#agent/telemetry/outbox.ts";
import { OutboxSender } from "#agent/telemetry/outbox-sender.ts";
import { MinuteCycle } from "#agent/traffic/minute-cycle.ts";
import { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { createStorageWatch } from "#platform/files/storage-watch.ts";
import { minuteMs } from "#platform/time.ts";
import type { Desired, MinuteData } from "#protocol/messages.ts";
import { createFailingDatabase } from "../fakes/failing-database.ts";
import { createRecordingBroker } from "../fakes/memory-broker.ts";
import { aServed } from "../fakes/served-request.ts";

const log = pino({ level: "silent" });
const startMs = 1_000 * minuteMs;
const minutes = 8;
const codes = ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY", "SQLITE_CORRUPT"];

function emptyState(): Database {
  const real = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) real.run(migration);
  return real;
}

const document = (version: number): Desired => ({
  v: 1,
  agentId: "a",
  version,
  issuedAtMs: version,
  role: "active",
  powerMode: null,
  powerModeUntilMs: null,
  reason: "",
});

/** Eight minutes of an agent with a request in each, sent while `connected` says so; then two more with a disk that works. */
async function live(
  fails: (operation: number, sql: string) => string | null,
  connected: (minute: number) => boolean = (minute) => minute % 3 !== 0,
  { real = emptyState(), bootId = "b", more = 2 } = {},
) {
  let broken = true;
  let nowMs = startMs;
  const failing = createFailingDatabase(real, (operation, sql) => (broken ? fails(operation, sql) : null));
  const { database } = failing;
  const storage = createStorageWatch(log, lossCauses, () => nowMs);
  const record = new TrafficRecord(database, bootId, nowMs, () => nowMs, storage);
  const limits = { maxBytes: 1e6, maxAgeMs: 1e9 };
  const outbox = new Outbox(database, limits, storage, (minute) => record.markQueued(minute));
  const text = createStoredText(database, "text", storage);
  const desired = createDesiredDocument(database, () => 1000, log, storage);
  const broker = createRecordingBroker();
  const sender = new OutboxSender({
    outbox,
    broker,
    identity: { fleet: "f", agentId: "a", bootId: "b" },
    controllerAnswers: () => false,
    nowMs: () => nowMs,
    log,
  });
  const rates: (number | null)[][] = [];
  const accuracy = new StoredAccuracy(database, storage);
  const cycle = new MinuteCycle({
    identity: { fleet: "f", agentId: "a", bootId, region: "" },
    record,
    outbox,
    forecaster: {
      start: async () => {},
      stop: async () => {},
      async forecast(history) {
        rates.push(history.slice(-minutes).map(({ qps }) => qps));
        return { madeAtMs: nowMs, model: "lstm", reason: "test", stepMs: minuteMs, qps: [1, 1] };
      },
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
  for (let minute = 1; minute <= minutes + more; minute += 1) {
    if (minute > minutes) broken = false;
    record.recordServed(aServed({ texts: minute }));
    nowMs += minuteMs;
    broker.setConnected(minute > minutes || connected(minute));
    await cycle.run();
    text.save(`text ${minute}`);
    const version = minute + (bootId === "b" ? 0 : 100);
    desired.accept(document(version));
    expect(text.load()).toBe(`text ${minute}`);
    expect(desired.current()?.version).toBe(version);
    await sender.drain();
  }
  storage.retry();
  const sent = broker.published.map(({ payload }) => JSON.parse(payload) as MinuteData);
  return { real, sent, storage, failing, rates, outbox, nowMs };
}

type Lived = Awaited<ReturnType<typeof live>>;

function expectNothingLost({ real, sent, storage, rates, outbox }: Lived) {
  const seqs = Array.from({ length: minutes + 2 }, (_, index) => index + 1);
  expect([...new Set(sent.map(({ seq }) => seq))].sort((a, b) => a - b)).toEqual(seqs);
  for (const { seq, traffic } of sent) expect(traffic.models[0]?.texts).toBe(seq);
  const rows = real.query("SELECT seq, texts, queued FROM minute_traffic ORDER BY seq").all();
  expect(rows).toEqual(seqs.map((seq) => ({ seq, texts: seq, queued: 1 })));
  expect(outbox.size().entries).toBe(0);
  expect(real.query<{ content: string }, []>("SELECT content FROM document WHERE name = 'text'").get()?.content).toBe(
    `text ${minutes + 2}`,
  );
  const made = real.query<{ made: number }, []>("SELECT count(*) AS made FROM forecast_made").get();
  expect(made?.made).toBe(minutes + 2);
  expect(rates.at(-1)?.slice(-3)).toEqual([8 / 60, 9 / 60, 10 / 60]);
  const { failing, waiting, lost } = storage.status();
  expect({ failing, records: waiting.records, lost: Object.values(lost) }).toEqual({
    failing: null,
    records: 0,
    lost: lossCauses.map(() => 0),
  });
  expect(storage.check().status).toBe("healthy");
}

const whole = await live(() => null);
const operations = whole.failing.operations();

test("a disk that works: every minute sent once, in order, and nothing is said of it", () => {
  expectNothingLost(whole);
  expect(whole.sent.map(({ seq }) => seq)).toEqual(whole.sent.map((_, index) => index + 1));
  expect(operations).toBeGreaterThan(100);
});

describe("no minute is lost, whichever operations fail", () => {
  test(`each of ${operations} operations by itself, by each of ${codes.length} errors`, async () => {
    for (let operation = 0; operation < operations; operation += 1) {
      const code = codes[operation % codes.length] as string;
      expectNothingLost(await live((now) => (now === operation ? code : null)));
    }
  });

  test("all from each operation on, until the disk is back", async () => {
    for (let first = 0; first < operations; first += 3)
      expectNothingLost(await live((now) => (now >= first ? "SQLITE_FULL" : null)));
  });

  test("each kind of statement, always", async () => {
    for (const sql of new Set(whole.failing.names))
      expectNothingLost(await live((_now, given) => (given === sql ? "SQLITE_IOERR_WRITE" : null)));
  });

  test("all that writes, and nothing that reads: sent in order all the same, and said meanwhile", async () => {
    const lived = await live(
      (_now, sql) => (/^\s*(SELECT)/.test(sql) ? null : "SQLITE_FULL"),
      () => true,
    );
    expectNothingLost(lived);
    expect(lived.sent.map(({ seq }) => seq)).toEqual(lived.sent.map((_, index) => index + 1));
  });

  test.each([1, 2, 3, 5, 8, 13])("operations at random, seed %d", async (seed) => {
    let state = seed;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    };
    expectNothingLost(await live(() => (random() < 0.5 ? "SQLITE_FULL" : null)));
  });
});

test("killed at any operation, it counts nothing else in a minute after the next start than before", async () => {
  for (let first = 0; first < operations; first += 5) {
    const real = emptyState();
    // The disk takes nothing from there on, and what is in memory goes with the process.
    const before = await live((now) => (now >= first ? "SQLITE_FULL" : null), undefined, { real, more: 0 });
    const after = await live(() => null, undefined, { real, bootId: "c" });
    const said = new Map<number, string>();
    for (const { bootId, seq, traffic } of [...before.sent, ...after.sent]) {
      if (bootId !== "b") continue;
      // Sent from memory, and not marked as sent: it comes again with its traffic alone.
      const counted = JSON.stringify(traffic);
      expect(said.get(seq) ?? counted).toBe(counted);
      said.set(seq, counted);
    }
  }
});

describe("what memory does not hold is counted", () => {
  test("more minutes than a day: the oldest are dropped, counted by cause and said", async () => {
    const storage = createStorageWatch(log, lossCauses, () => 0);
    const { database } = createFailingDatabase(emptyState(), () => "SQLITE_FULL");
    const outbox = new Outbox(database, { maxBytes: 1e6, maxAgeMs: 1e9 }, storage);
    const { sent } = whole;
    for (let seq = 1; seq <= 1_500; seq += 1) {
      expect(outbox.append({ ...(sent[0] as MinuteData), seq }, seq)).toBe(false);
      outbox.enforceLimits(seq);
    }
    expect(outbox.size().entries).toBe(1_440);
    expect(outbox.oldest()?.data.seq).toBe(61);
    expect(storage.status().lost).toMatchObject({ "memory-full": 60, "too-old": 0 });
    expect(storage.check()).toMatchObject({
      status: "degraded",
      detail: expect.stringMatching(
        /^not written since .*: .*the disk fails.*1440 records .* lost since the start: 60 \(memory-full\)$/,
      ),
    });
  });

  test("minutes of many tenants are bounded by their bytes", () => {
    const storage = createStorageWatch(log, lossCauses, () => 0);
    const { database } = createFailingDatabase(emptyState(), () => "SQLITE_FULL");
    const outbox = new Outbox(database, { maxBytes: 1e9, maxAgeMs: 1e9 }, storage);
    const model = { ...(whole.sent[0] as MinuteData).traffic.models[0], model: "x".repeat(1_000_000) };
    const large = { ...(whole.sent[0] as MinuteData) };
    for (let seq = 1; seq <= 40; seq += 1) {
      outbox.append({ ...large, seq, traffic: { ...large.traffic, models: [model as never] } }, seq);
      outbox.enforceLimits(seq);
    }
    expect(outbox.size().bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(storage.status().lost["memory-full"]).toBe(40 - outbox.size().entries);
  });

  test("a row that can't be read is counted and stands in nobody's way", async () => {
    const real = emptyState();
    const storage = createStorageWatch(log, lossCauses, () => 0);
    const outbox = new Outbox(real, { maxBytes: 1e6, maxAgeMs: 1e9 }, storage);
    for (const payload of ["", "{", "null", "7", "{}"])
      real.run("INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ('b', 0, 1, ?)", [payload]);
    outbox.append(whole.sent[0] as MinuteData, 0);
    expect(outbox.oldest()?.data.seq).toBe(1);
    expect(storage.status().lost["unreadable"]).toBe(5);
    expect(outbox.size().entries).toBe(1);

    const insert = "INSERT INTO minute_traffic VALUES ('b', ?, 0, 60000, 1, ?, 0)";
    const empty = JSON.stringify({ minuteStartMs: 0, observedMs: 60_000, errors: 0, rejected: 0, models: [] });
    for (const [seq, traffic] of ["", "{", empty].entries()) real.run(insert, [seq, traffic]);
    const record = new TrafficRecord(real, "c", 0, () => 0, storage);
    expect(record.unqueued().map(({ seq }) => seq)).toEqual([2]);
    expect(storage.status().lost["unreadable"]).toBe(7);
  });
});
