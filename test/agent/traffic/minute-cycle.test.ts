import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import pino from "pino";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { Outbox } from "#agent/telemetry/outbox.ts";
import { MinuteCycle, type MinuteCycleParts } from "#agent/traffic/minute-cycle.ts";
import { TrafficRecord } from "#agent/traffic/traffic-record.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { strictStorage } from "#platform/files/storage-watch.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { type ForecastAccuracy, type ForecastReport, MinuteData, type MinutePower } from "#protocol/messages.ts";
import { aServed } from "../../fakes/served-request.ts";

const power: MinutePower = {
  modeId: 1,
  modeName: "120W",
  energyJ: 1800,
  measuredMs: 60_000,
  maxTemperatureC: 51,
  gpuUtilization: 0.4,
};
const forecast: ForecastReport = { madeAtMs: 0, model: "lstm", reason: "test", stepMs: minuteMs, qps: [1, 2, 3] };

let nowMs: number;
let database: Database;
let record: TrafficRecord;
let outbox: Outbox;
let histories: (number | null)[][];
/** Error of the next forecasts; null while they work. */
let failure: Error | null;
let logged: string;
let judged: { forecast: ForecastReport; minutes: number }[];
let windows: number[];
let pruned: number[];
let closed: number[][];
let retries: number;
const figures: ForecastAccuracy = {
  ...{ windowMs: 86_400_000, forecasts: 3, wapePercent: 10, biasPercent: 1, peakWapePercent: 10, coverage95: 1 },
  ...{ rises: 0, hits: 0, misses: 0, falseAlarms: 0, hitRate: null, missRate: null, falseAlarmRate: null },
  ...{ medianLeadMinutes: null, served: { lstm: 3 } },
};

function openCycle(bootId = "b1", given: Partial<MinuteCycleParts> = {}): MinuteCycle {
  record = new TrafficRecord(database, bootId, nowMs, () => nowMs);
  const forecaster: Forecaster = {
    start: async () => {},
    stop: async () => {},
    async forecast(history) {
      histories.push(history.map(({ qps }) => qps));
      if (failure !== null) throw failure;
      return forecast;
    },
    describe: () => ({ model: "lstm", backend: "wasm", reason: "" }),
  };
  return new MinuteCycle({
    identity: { fleet: "f", agentId: "a", bootId, region: "" },
    record,
    outbox,
    forecaster,
    accuracy: {
      observe: (made, history) => void judged.push({ forecast: made, minutes: history.length }),
      figures(windowMs) {
        windows.push(windowMs);
        return figures;
      },
      peaks: () => [],
      prune: (beforeMs) => void pruned.push(beforeMs),
    },
    power: {
      closeMinute(minutes) {
        closed.push(minutes.map(({ minuteStartMs }) => minuteStartMs));
        return power;
      },
    },
    queueDepth: () => 4,
    role: () => "active",
    recordRetentionDays: 35,
    nowMs: () => nowMs,
    log: pino(
      { level: "info" },
      {
        write(line: string) {
          logged += line;
        },
      },
    ),
    storage: {
      ...strictStorage,
      retry() {
        retries += 1;
      },
    },
    ...given,
  });
}

function sendable(): MinuteData[] {
  const all: MinuteData[] = [];
  for (let entry = outbox.oldest(); entry !== null; entry = outbox.oldest()) {
    const decoded = decodeMessage(MinuteData, new TextEncoder().encode(encodeMessage(MinuteData, entry.data)));
    if (!decoded.ok) throw new Error(decoded.reason);
    all.push(decoded.message);
    outbox.remove(entry.id);
  }
  return all;
}

beforeEach(() => {
  nowMs = 100 * minuteMs;
  [histories, judged, windows, pruned, closed, failure, logged, retries] = [[], [], [], [], [], null, "", 0];
  database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  outbox = new Outbox(database, { maxBytes: 1_000_000, maxAgeMs: 86_400_000 });
});

describe("minute cycle", () => {
  test("the history goes on from minute to minute as if it were read anew each time", async () => {
    const cycle = openCycle();
    for (let minute = 0; minute < 130; minute += 1) {
      for (let index = 0; index < minute; index += 1) {
        record.recordServed(aServed({ texts: 60 }));
      }
      nowMs += minuteMs;
      await cycle.run();
      const expected = record.recentRates(8 * 1_440, nowMs).map(({ qps }) => qps);
      if (minute % 43 === 0) expect(histories.at(-1)).toEqual(expected);
    }
    // A jump of the clock leaves nothing to continue from.
    nowMs += 500 * minuteMs;
    await cycle.run();
    expect(histories.at(-1)).toEqual(record.recentRates(8 * 1_440, nowMs).map(({ qps }) => qps));
  });

  test("capacity and load of the device are in the newest minute that closes, not in those of an earlier run", async () => {
    const capacity = [
      { model: "m", modeName: "120W", qps: 17, tokensPerText: 20, confidence: 0.9, source: "saturated" as const },
    ];
    const utilization = { cpu: 0.5, gpu: null, memory: 0.25, processCpu: 0.4, processMemory: 0.1 };
    const sinceMs: number[] = [];
    const meshes = [{ routes: [], retries: 1, hedges: 0, hops: [], ejected: [] }];
    const given = {
      takeMesh: () => meshes.shift() ?? null,
      droppedRecords: () => 3,
      capacity: () => capacity,
      utilization(since: number) {
        sinceMs.push(since);
        return utilization;
      },
    };
    const cycle = openCycle("b1", given);
    nowMs += 2 * minuteMs;
    await cycle.run();
    const [older, newest] = sendable();
    expect(newest).toMatchObject({ capacity, utilization, mesh: { retries: 1 }, outbox: { records: 0, dropped: 3 } });
    expect(older?.capacity).toBeUndefined();
    expect(older?.utilization).toBeUndefined();
    expect([older?.mesh, older?.outbox]).toEqual([undefined, undefined]);
    expect(sinceMs).toEqual([nowMs - minuteMs]);
    record.closeMinutes(nowMs + minuteMs);
    nowMs += 2 * minuteMs;
    openCycle("b2", given).recover();
    expect(sendable().map((data) => data.capacity)).toEqual([undefined]);
  });

  test("a minute that ended becomes a record with traffic, power and a forecast made from it", async () => {
    const cycle = openCycle();
    record.recordServed(aServed({ texts: 120 }));
    nowMs += minuteMs;
    await cycle.run();
    expect(histories[0]?.at(-1)).toBe(2);
    expect(histories[0]).toHaveLength(8 * 1_440);
    expect(cycle.lastForecast).toEqual(forecast);
    const [data, ...more] = sendable();
    expect(more).toEqual([]);
    expect(data).toMatchObject({
      seq: 1,
      bootId: "b1",
      role: "active",
      queueDepth: 4,
      power,
      forecast,
      historical: false,
    });
    expect(data?.traffic.models[0]?.texts).toBe(120);
  });

  test("a record and its mark are written in one step: a crash between them would send it twice", async () => {
    const cycle = openCycle();
    const marks = spyOn(record, "markQueued");
    nowMs += minuteMs;
    await cycle.run();
    expect(marks).not.toHaveBeenCalled();
    expect(record.unqueued()).toEqual([]);
    expect(sendable()).toHaveLength(1);
  });

  test("nothing happens before a minute ended", async () => {
    const cycle = openCycle();
    nowMs += minuteMs - 1;
    await cycle.run();
    expect(sendable()).toEqual([]);
    expect(histories).toEqual([]);
  });

  test("of minutes that close together only the newest carries the energy, so that none is counted twice", async () => {
    const cycle = openCycle();
    nowMs += 3 * minuteMs;
    await cycle.run();
    expect(sendable().map((data) => data.power?.energyJ ?? null)).toEqual([null, null, 1800]);
  });

  test("the newest minute tells the device's load, and what it can carry", async () => {
    const asked: number[] = [];
    const utilization = { cpu: 0.5, gpu: null, memory: 0.25, processCpu: 0.1, processMemory: 0.2 };
    const cycle = openCycle("b1", {
      capacity: () => [],
      utilization: (sinceMs) => {
        asked.push(nowMs - sinceMs);
        return utilization;
      },
    });
    nowMs += 2 * minuteMs;
    await cycle.run();
    expect(asked).toEqual([minuteMs]);
    const [first, second] = sendable();
    expect([first?.capacity, first?.utilization]).toEqual([undefined, undefined]);
    expect(second).toMatchObject({ capacity: [], utilization });
  });

  test("the end of the process closes the minute under way", () => {
    const cycle = openCycle();
    nowMs += 20_000;
    cycle.finish();
    cycle.finish();
    expect(sendable().map(({ traffic }) => traffic.observedMs)).toEqual([20_000]);
    expect(closed).toHaveLength(1);
  });

  test("a minute written down by a process that died before queueing it is queued by the next", async () => {
    openCycle();
    nowMs += 2 * minuteMs;
    record.closeMinutes(nowMs);
    const next = openCycle("b2");
    next.recover();
    const said = logged;
    expect(said).toContain('"minutes":2');
    next.recover();
    expect(logged).toBe(said);
    expect(sendable().map(({ bootId, seq, power: measured }) => [bootId, seq, measured])).toEqual([
      ["b1", 1, null],
      ["b1", 2, null],
    ]);
  });

  test("a forecast that fails costs the minute only its forecast, and is logged", async () => {
    const cycle = openCycle();
    nowMs += minuteMs;
    await cycle.run();
    failure = new Error("no model");
    nowMs += minuteMs;
    await cycle.run();
    const [good, bad] = sendable();
    expect(good?.forecast).toEqual(forecast);
    expect(bad).toMatchObject({ forecast: null, forecastAccuracy: null, power });
    expect(logged).toMatch(/no model.*the minute is sent without a forecast/);
    expect(cycle.lastForecast).toEqual(forecast);
  });

  test("the forecast is judged by what comes, and its accuracy of a day is sent with the newest minute", async () => {
    const cycle = openCycle();
    nowMs += 2 * minuteMs;
    await cycle.run();
    expect(judged).toEqual([{ forecast, minutes: 8 * 1_440 }]);
    expect(sendable().map((data) => data.forecastAccuracy ?? null)).toEqual([null, figures]);
    expect(windows).toEqual([86_400_000]);
  });

  test("each minute, what could not be written is tried again, and what is older than the retention is deleted", async () => {
    const cycle = openCycle();
    nowMs += minuteMs;
    await cycle.run();
    expect(retries).toBe(1);
    expect(record.recordedMinutes()).toBe(1);
    expect(pruned).toEqual([nowMs - 35 * 1_440 * minuteMs]);
    nowMs += 35 * 1_440 * minuteMs - minuteMs;
    await cycle.run();
    expect(record.recordedMinutes()).toBe(2);
    nowMs += minuteMs;
    await cycle.run();
    expect(record.recordedMinutes()).toBe(2);
  });

  test("the board closes its minute with the traffic of the same minutes", async () => {
    const cycle = openCycle();
    nowMs += 2 * minuteMs;
    await cycle.run();
    nowMs += 20_000;
    cycle.finish();
    expect(closed).toEqual([[100 * minuteMs, 101 * minuteMs], [102 * minuteMs]]);
    expect(sendable().map((data) => data.power?.energyJ ?? null)).toEqual([null, 1800, 1800]);
  });

  test("records beyond the outbox's limits are dropped as the minute is queued", async () => {
    outbox = new Outbox(database, { maxBytes: 1_000_000, maxAgeMs: 1.5 * minuteMs });
    const cycle = openCycle();
    for (let count = 0; count < 4; count += 1) {
      nowMs += minuteMs;
      await cycle.run();
    }
    expect(sendable().map(({ seq }) => seq)).toEqual([3, 4]);
  });

  test("a minute is marked as queued with its message, or not at all", async () => {
    const cycle = openCycle();
    nowMs += minuteMs;
    await cycle.run();
    expect(record.unqueued()).toEqual([]);
    const next = openCycle("b2");
    next.recover();
    expect(sendable()).toHaveLength(1);
  });
});
