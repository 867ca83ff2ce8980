import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { lossCauses } from "#agent/telemetry/outbox.ts";
import { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import { createStorageWatch } from "#platform/files/storage-watch.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { createFailingDatabase } from "../../fakes/failing-database.ts";
import { aRefused, aServed } from "../../fakes/served-request.ts";

const startMs = 1_000 * minuteMs;
let nowMs: number;
let database: Database;

function openRecord(bootId = "boot-1"): TrafficRecord {
  return new TrafficRecord(database, bootId, nowMs, () => nowMs);
}

function serve(record: TrafficRecord, texts = 1, latencyMs = 4, model = "m") {
  record.recordServed(aServed({ model, texts, tokens: texts * 8, latencyMs }));
}

beforeEach(() => {
  nowMs = startMs;
  database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
});

describe("traffic record", () => {
  test("a minute holds what was served in it, by model", () => {
    const record = openRecord();
    serve(record, 3, 4);
    serve(record, 1, 8, "other");
    record.recordRefused(aRefused({ cause: "error" }));
    record.recordRefused(aRefused());
    nowMs += minuteMs;
    const [minute, ...more] = record.closeMinutes(nowMs);
    expect(more).toEqual([]);
    expect(minute).toMatchObject({
      bootId: "boot-1",
      seq: 1,
      traffic: { minuteStartMs: startMs, observedMs: minuteMs, errors: 1, rejected: 1 },
    });
    expect(
      minute?.traffic.models.map(({ model, requests, texts, tokens }) => ({ model, requests, texts, tokens })),
    ).toEqual([
      { model: "m", requests: 1, texts: 3, tokens: 24 },
      { model: "other", requests: 1, texts: 1, tokens: 8 },
    ]);
    expect(minute?.traffic.models[0]?.latencyCounts[4]).toBe(0);
    expect(minute?.traffic.models[0]?.latencyCounts[3]).toBe(1);
  });

  test("what an earlier version wrote down, without tenants, is read as it was", () => {
    const earlier = openRecord("boot-0");
    serve(earlier);
    nowMs += minuteMs;
    const [minute] = earlier.closeMinutes(nowMs);
    expect(minute?.traffic.models[0]).not.toHaveProperty("tenants");
    const record = openRecord("boot-1");
    record.recordServed(aServed({ tenant: "red", texts: 5, tokens: 1, computeMs: 7 }));
    nowMs += minuteMs;
    record.closeMinutes(nowMs);
    expect(record.unqueued().map(({ traffic }) => traffic.models[0]?.tenants)).toEqual([
      undefined,
      [{ tenant: "red", requests: 1, texts: 5, tokens: 1, computeMs: 7 }],
    ]);
    expect(record.recentRates(2, nowMs).map(({ qps }) => qps)).toEqual([1 / 60, 5 / 60]);
  });

  test("a request that comes while the last minute is being closed belongs to its own minute", () => {
    const record = openRecord();
    serve(record);
    nowMs += minuteMs + 5;
    serve(record);
    serve(record);
    expect(record.closeMinutes(nowMs).map(({ traffic }) => traffic.models[0]?.requests)).toEqual([1]);
    nowMs += minuteMs;
    expect(record.closeMinutes(nowMs).map(({ traffic }) => traffic.models[0]?.requests)).toEqual([2]);
  });

  test("minutes without requests are zeros; a minute is closed once", () => {
    const record = openRecord();
    nowMs += 3 * minuteMs;
    expect(record.closeMinutes(nowMs).map(({ seq, traffic }) => [seq, traffic.models])).toEqual([
      [1, []],
      [2, []],
      [3, []],
    ]);
    expect(record.closeMinutes(nowMs)).toEqual([]);
    expect(record.recentRates(4, nowMs).map(({ qps }) => qps)).toEqual([null, 0, 0, 0]);
  });

  test("after a suspend the time in between is a gap, not zeros", () => {
    const record = openRecord();
    serve(record, 60);
    nowMs += 60 * minuteMs;
    serve(record);
    const closed = record.closeMinutes(nowMs);
    expect(closed.map(({ traffic }) => (traffic.minuteStartMs - startMs) / minuteMs)).toEqual([0, 59]);
    const rates = record.recentRates(60, nowMs);
    expect(rates[0]?.qps).toBe(1);
    expect(rates.filter(({ qps }) => qps === null)).toHaveLength(58);
  });

  test("a clock set back neither repeats nor blocks", () => {
    const record = openRecord();
    nowMs += minuteMs;
    expect(record.closeMinutes(nowMs)).toHaveLength(1);
    nowMs -= 30 * minuteMs;
    expect(record.closeMinutes(nowMs)).toEqual([]);
    serve(record);
    nowMs += minuteMs;
    expect(record.closeMinutes(nowMs).map(({ traffic }) => traffic.models[0]?.requests)).toEqual([1]);
  });

  test("a new boot goes on where the last one died; two halves of a minute add up", () => {
    const first = openRecord();
    serve(first, 30);
    nowMs += 40_000;
    expect(first.closeAll(nowMs).map(({ traffic }) => traffic.observedMs)).toEqual([40_000]);
    const second = openRecord("boot-2");
    serve(second, 30);
    nowMs += 20_000;
    expect(second.closeMinutes(nowMs).map(({ seq, traffic }) => [seq, traffic.observedMs])).toEqual([[1, 20_000]]);
    expect(second.recentRates(1, nowMs)).toEqual([{ minuteStartMs: startMs, qps: 1 }]);
  });

  test("a minute of which less than half was seen has no rate", () => {
    nowMs += 40_000;
    const record = openRecord();
    serve(record);
    nowMs += 20_000;
    record.closeMinutes(nowMs);
    expect(record.recentRates(1, nowMs)[0]?.qps).toBeNull();
  });

  test("the live rate is the last minute's until this one says enough", () => {
    const record = openRecord();
    serve(record, 120);
    nowMs += minuteMs;
    record.closeMinutes(nowMs);
    nowMs += 10_000;
    serve(record, 100);
    expect(record.liveQps(nowMs)).toBe(2);
    nowMs += 10_000;
    expect(record.liveQps(nowMs)).toBe(5);
  });

  test.each([
    { name: "few texts: the last 60 s", last: 12, now: 10, afterMs: 30_000, expected: 16 / 60 },
    { name: "few, after one text: the last 60 s", last: 1, now: 10, afterMs: 30_000, expected: 10.5 / 60 },
    { name: "none any more", last: 12, now: 0, afterMs: 45_000, expected: 3 / 60 },
    {
      name: "few, after a minute without any: this minute alone",
      last: 0,
      now: 10,
      afterMs: 30_000,
      expected: 10 / 30,
    },
    { name: "enough texts: this minute alone", last: 12, now: 25, afterMs: 30_000, expected: 25 / 30 },
  ])("the live rate at low rates: $name", ({ last, now, afterMs, expected }) => {
    const record = openRecord();
    serve(record, last);
    nowMs += minuteMs;
    record.closeMinutes(nowMs);
    nowMs += afterMs;
    serve(record, now);
    expect(record.liveQps(nowMs)).toBeCloseTo(expected, 9);
  });

  test("what was written but never queued is found again by the next boot", () => {
    const record = openRecord();
    nowMs += 2 * minuteMs;
    const [first, second] = record.closeMinutes(nowMs);
    if (first) record.markQueued(first);
    expect(openRecord("boot-2").unqueued()).toEqual([second as NonNullable<typeof second>]);
  });

  test("without its disk the minutes of this boot are known, and what was sent of them is not sent again", () => {
    let works = true;
    const { database: failing } = createFailingDatabase(database, () => (works ? null : "SQLITE_IOERR"));
    const storage = createStorageWatch(createLogger("test", "silent"), lossCauses, () => nowMs);
    const record = new TrafficRecord(failing, "boot-1", nowMs, () => nowMs, storage);
    serve(record, 120);
    nowMs += minuteMs;
    for (const written of record.closeMinutes(nowMs)) record.markQueued(written);
    works = false;
    serve(record, 60);
    nowMs += minuteMs;
    const [minute] = record.closeMinutes(nowMs);
    expect(record.recentRates(3, nowMs).map(({ qps }) => qps)).toEqual([null, 2, 1]);
    record.markQueued(minute!);
    works = true;
    nowMs += minuteMs;
    record.closeMinutes(nowMs);
    expect(
      openRecord("boot-2")
        .unqueued()
        .map(({ seq }) => seq),
    ).toEqual([3]);
  });

  test("without its disk a week of minutes is known, and no more", () => {
    let works = true;
    const { database: failing } = createFailingDatabase(database, () => (works ? null : "SQLITE_IOERR"));
    const storage = createStorageWatch(createLogger("test", "silent"), lossCauses, () => nowMs);
    const record = new TrafficRecord(failing, "boot-1", nowMs, () => nowMs, storage);
    const week = 7 * 24 * 60;
    for (let minute = 0; minute <= week; minute += 1) {
      nowMs += minuteMs;
      for (const written of record.closeMinutes(nowMs)) record.markQueued(written);
    }
    works = false;
    expect(record.recentRates(week + 1, nowMs).map(({ qps }) => qps)).toEqual([null, ...new Array(week).fill(0)]);
  });

  test("pruning forgets old minutes, but none that still has to be sent", () => {
    const record = openRecord();
    nowMs += 2 * minuteMs;
    const [first] = record.closeMinutes(nowMs);
    if (first) record.markQueued(first);
    record.prune(nowMs);
    expect(record.unqueued().map(({ seq }) => seq)).toEqual([2]);
    expect(record.recentRates(2, nowMs).map(({ qps }) => qps)).toEqual([null, 0]);
  });
});
