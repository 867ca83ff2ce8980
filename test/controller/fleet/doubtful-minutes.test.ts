import { beforeEach, describe, expect, test } from "bun:test";
import { CostAllocation } from "#controller/cost/allocate-cost.ts";
import { PowerReportBuilder } from "#controller/cost/report-power.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { Ingest } from "#controller/fleet/ingest.ts";
import { createIngestCounts, type IngestCounts } from "#controller/fleet/ingest-counts.ts";
import type { MinuteRecord, Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, aPower, aPresence } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

const topic = (channel: string, agentId = "thor-1") => `thormesh/v1/f/agents/${agentId}/${channel}`;
const prices = { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 };

let broker: RecordingBroker;
let store: Store;
let fleet: Fleet;
let counts: IngestCounts;
let ingest: Ingest;
let outcomes: string[];
let nowMs: number;

beforeEach(async () => {
  broker = createRecordingBroker();
  store = createMemoryStore();
  fleet = createFleet();
  counts = createIngestCounts();
  outcomes = [];
  nowMs = 1000 * dayMs + 30_000;
  ingest = new Ingest({
    fleetName: "f",
    fleet,
    store,
    broker,
    limits: { rebirthIntervalMs: minuteMs, maxAgents: 10, minutesKeptMs: 14 * dayMs },
    counts,
    retireOne: async () => false,
    usualCapacityQps: 350,
    nowMs: () => nowMs,
    log: createLogger("test", "silent"),
    onMessage: (channel, outcome) => outcomes.push(`${channel} ${outcome}`),
    onMinute: () => undefined,
    onBeat: () => undefined,
    onAgentChanged: () => undefined,
  });
  ingest.start();
  await broker.deliver(topic("presence"), aPresence());
  await broker.deliver(topic("birth"), aBirth());
});

/** The minute that ended last, with what a test cares about given. */
const lastMinute = (given: Parameters<typeof aMinute>[0] = {}) =>
  aMinute({ minuteStartMs: Math.floor(nowMs / minuteMs) * minuteMs - minuteMs, ...given });
const send = (data: MinuteData) => broker.deliver(topic("data", data.agentId), data);
const records = async () => {
  const list: MinuteRecord[] = [];
  for await (const minute of store.minutes(0, bounds.timeMs)) list.push(minute);
  return list;
};

describe("a minute that can't be true is kept beside the record", () => {
  test.each<[string, (at: number) => Partial<MinuteData> & { minuteStartMs?: number }, RegExp]>([
    ["of next year", (at) => ({ minuteStartMs: at + 365 * dayMs }), /ahead of this controller's clock/],
    ["of 11 minutes ahead", (at) => ({ minuteStartMs: at + 12 * minuteMs }), /ahead of this controller's clock/],
    [
      "older than minutes are kept",
      (at) => ({ minuteStartMs: at - 15 * dayMs }),
      /older than the retention of minutes/,
    ],
    ["of 1970", () => ({ minuteStartMs: 0 }), /older than the retention of minutes/],
    ["that begins amid a minute", (at) => ({ minuteStartMs: at - 1 }), /does not start with a minute/],
    [
      "of a million texts per second",
      () => ({ traffic: { ...lastMinute().traffic, models: [{ ...aModel("mini", 60_000), texts: bounds.texts }] } }),
      /1000000 texts\/s, more than the plausible maximum of 35000/,
    ],
    [
      "of texts without a request",
      () => ({ traffic: { ...lastMinute().traffic, models: [{ ...aModel("mini", 0), texts: 600 }] } }),
      /texts without a request/,
    ],
    [
      "of more latencies than requests",
      () => ({ traffic: { ...lastMinute().traffic, models: [{ ...aModel("mini", 600), requests: 5 }] } }),
      /600 latencies of 5 requests/,
    ],
    ...(["requests", "texts", "tokens", "computeMs"] as const).map(
      (kind): [string, (at: number) => Partial<MinuteData>, RegExp] => {
        const model = aModel("mini", 600);
        const tenant = { tenant: "a", requests: 300, texts: 300, tokens: 3000, computeMs: 300, [kind]: model[kind] };
        const models = [{ ...model, tenants: [tenant, { ...tenant, tenant: "b" }] }];
        const reason = new RegExp(`${2 * model[kind]} ${kind} of tenants, of ${model[kind]} in all`);
        return [`of tenants' ${kind} above all`, () => ({ traffic: { ...lastMinute().traffic, models } }), reason];
      },
    ),
    [
      "of longer texts than any",
      () => ({ traffic: { ...lastMinute().traffic, models: [{ ...aModel("mini", 600), tokens: bounds.tokens }] } }),
      /1000000000000 tokens in 600 texts/,
    ],
    ["of a megawatt", () => ({ power: aPower({ energyJ: 3_600_000 }) }), /more than any board draws/],
    [
      "of energy out of nothing",
      () => ({ power: aPower({ energyJ: 5000, measuredMs: 0 }) }),
      /more than any board draws/,
    ],
    [
      "of parts above the whole",
      () => ({ power: aPower({ idleJ: 1000, activeJ: 1000 }) }),
      /add up to more than the total/,
    ],
    [
      "of models above their part",
      () => ({ power: aPower({ idleJ: 900, activeJ: 900, models: [{ model: "mini", energyJ: 1000 }] }) }),
      /models' energy/,
    ],
    [
      "of tenants above their model",
      () => ({
        power: aPower({
          idleJ: 900,
          activeJ: 900,
          models: [{ model: "mini", energyJ: 900, tenants: [{ tenant: "a", energyJ: 1000 }] }],
        }),
      }),
      /tenants' energy/,
    ],
  ])("%s", async (_name, given, reason) => {
    const at = lastMinute().traffic.minuteStartMs;
    await send(lastMinute(given(at)));
    expect(outcomes.at(-1)).toBe("data set-aside");
    expect(await records()).toEqual([]);
    expect(fleet.traffic.history(nowMs)).toEqual([]);
    expect(fleet.get("thor-1")?.recent).toEqual([]);
    expect((await store.listSetAside("thor-1", 10)).map((row) => row.reason)).toEqual([expect.stringMatching(reason)]);
    expect(counts.of("thor-1")).toMatchObject({ setAside: 1, lastReason: expect.stringMatching(reason) });
    // What is not believed once changes nothing for what follows.
    await send(lastMinute({ seq: 2 }));
    expect(outcomes.at(-1)).toBe("data accepted");
    expect(broker.published.filter(({ topic: to }) => to.endsWith("/cmd"))).toEqual([]);
  });
});

test("once this controller's wrong clock is set, what was of the future is taken in after all", async () => {
  const rightMs = nowMs;
  nowMs -= 3 * dayMs;
  const minutes = [1, 2, 3].map((seq) => aMinute({ seq, minuteStartMs: rightMs - 30_000 - (4 - seq) * minuteMs }));
  for (const minute of minutes) await send(minute);
  await send(aMinute({ seq: 4, minuteStartMs: rightMs - 30_000 + 300 * dayMs }));
  expect(await records()).toEqual([]);
  await ingest.reconsider();
  expect(await records()).toEqual([]);
  nowMs = rightMs;
  await ingest.reconsider();
  expect((await records()).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect((await store.listSetAside("thor-1", 9)).map(({ seq }) => seq)).toEqual([4]);
  await ingest.reconsider();
  for (const minute of minutes) await send(minute);
  expect(await records()).toHaveLength(3);
});

test("of an agent that was retired meanwhile the record alone is taken in", async () => {
  const minute = aMinute({ minuteStartMs: Math.floor(nowMs / minuteMs) * minuteMs + 3 * hourMs });
  await send(minute);
  fleet.remove("thor-1");
  outcomes.length = 0;
  nowMs += 4 * hourMs;
  await ingest.reconsider();
  expect((await records()).map(({ seq }) => seq)).toEqual([1]);
  expect(fleet.agents()).toEqual([]);
  expect(outcomes).toEqual([]);
});

test("the most that a record may say, by every device of a fleet for as long as minutes are kept, gives figures that are numbers", async () => {
  const minute = aMinute({ power: aPower({ energyJ: bounds.energyJ, measuredMs: bounds.measuredMs }) });
  const model = { ...aModel("mini", 1), requests: bounds.requests, texts: bounds.texts, tokens: bounds.tokens };
  const record = { ...minute, traffic: { ...minute.traffic, models: new Array(64).fill(model) } };
  const birth = aBirth({
    board: {
      ...aBirth().board,
      powerModes: [{ id: 0, name: "MAXN", capacityQps: 1, busyWatts: bounds.watts, idleWatts: bounds.watts }],
    },
    prices: { tariffUsdPerKwh: bounds.tariffUsdPerKwh, amortisationUsdPerHour: bounds.usdPerHour },
  });
  const births = new Map([["thor-1", birth]]);
  const cost = new CostAllocation(births, prices);
  const report = new PowerReportBuilder(births, { tariffUsdPerKwh: 0.15, co2KgPerKwh: 100, targetUtilization: 1 });
  for (let each = 0; each < 1000; each += 1) {
    cost.add(record);
    report.add(record);
  }
  const figures = JSON.stringify([cost.report({ startMs: 0, endMs: 1 }), report.report({ startMs: 0, endMs: 1 })]);
  const agentMinutes = (14 * 1440 * 10_000) / 1000;
  JSON.parse(figures, (_key, value) => {
    if (typeof value === "number") expect(Number.isFinite(value * agentMinutes)).toBe(true);
    return value;
  });
  expect(figures).not.toContain("null,null,null");
});

describe("records that go by one name", () => {
  test("a forged number far ahead does not hide the minutes that follow", async () => {
    await send(lastMinute({ seq: 1, requests: 600 }));
    await send(lastMinute({ seq: bounds.count32, minuteStartMs: lastMinute().traffic.minuteStartMs, requests: 1 }));
    nowMs += minuteMs;
    await send(lastMinute({ seq: 2, requests: 1200 }));
    expect(fleet.get("thor-1")?.recent.at(-1)?.traffic.models[0]?.requests).toBe(1200);
    // What is late is not taken for the newest.
    await send(lastMinute({ seq: 3, minuteStartMs: lastMinute().traffic.minuteStartMs - 2 * minuteMs, requests: 5 }));
    expect(fleet.get("thor-1")?.recent.at(-1)?.traffic.models[0]?.requests).toBe(1200);
  });

  test("forged minutes under the coming numbers do not erase the real ones", async () => {
    const start = lastMinute().traffic.minuteStartMs;
    // What somebody says in the agent's name, of minutes that have been.
    for (let seq = 2; seq <= 5; seq += 1)
      await send(lastMinute({ seq, minuteStartMs: start - (10 + seq) * minuteMs, requests: 1 }));
    const real: MinuteData[] = [];
    for (let seq = 1; seq <= 5; seq += 1) {
      nowMs += minuteMs;
      const minute = lastMinute({ seq, requests: 100 + seq });
      real.push(minute);
      await send(minute);
      // A repeat is no conflict.
      await send({ ...minute, historical: true, sentAtMs: 7 });
    }
    const kept = (await records()).map(({ traffic }) => traffic.models[0]?.requests);
    for (const minute of real) expect(kept).toContain(minute.traffic.models[0]?.requests);
    expect(outcomes.filter((outcome) => outcome === "data conflict")).toHaveLength(4);
    expect(outcomes.filter((outcome) => outcome === "data duplicate")).toHaveLength(5);
    const lastReason = "a different minute with the same id is on record; both are kept";
    expect(counts.of("thor-1")).toMatchObject({ conflicts: 4, setAside: 0, lastReason });
    expect(counts.totals().conflicts).toBe(4);
  });

  test("other figures of the same minute are kept beside the first, and said", async () => {
    await send(lastMinute({ requests: 5 }));
    await send(lastMinute({ requests: 7 }));
    expect(outcomes.slice(-2)).toEqual(["data accepted", "data conflict"]);
    expect((await records()).map(({ traffic }) => traffic.models[0]?.requests)).toEqual([5]);
    expect(await store.listSetAside("thor-1", 10)).toHaveLength(1);
    const lastReason = "this minute is already on record with different figures";
    expect(counts.of("thor-1")).toMatchObject({ conflicts: 1, setAside: 1, lastReason });
  });
});

describe("the budget of an agent's hour", () => {
  test("no more rows of one hour than an agent can have; boots that nobody has introduced count too", async () => {
    for (let each = 0; each < 300; each += 1) {
      await send(
        lastMinute({
          bootId: `boot-${each}`,
          seq: 1,
          observedMs: 100,
          power: null,
          minuteStartMs: 1000 * dayMs - hourMs,
        }),
      );
    }
    expect(await records()).toHaveLength(120);
    expect(outcomes.filter((outcome) => outcome === "data set-aside")).toHaveLength(180);
    expect(await store.listSetAside("thor-1", 1000)).toHaveLength(100);
  });

  test("nobody is there for more than an hour an hour, nor measures more", async () => {
    for (let each = 0; each < 100; each += 1)
      await send(lastMinute({ bootId: `boot-${each}`, seq: 1, minuteStartMs: 1000 * dayMs - hourMs }));
    const observedMs = (await records()).reduce((sum, { traffic }) => sum + traffic.observedMs, 0);
    expect(observedMs).toBe(75 * minuteMs);
    await send(
      lastMinute({
        bootId: "other",
        minuteStartMs: 1000 * dayMs - 2 * hourMs,
        power: aPower({ energyJ: 3_600_000, measuredMs: hourMs }),
      }),
    );
    await send(
      lastMinute({
        bootId: "other",
        seq: 2,
        minuteStartMs: 1000 * dayMs - 2 * hourMs,
        power: aPower({ energyJ: 3_600_000, measuredMs: hourMs }),
      }),
    );
    expect(outcomes.slice(-2)).toEqual(["data accepted", "data set-aside"]);
  });

  test("an agent's whole outbox of two weeks is taken, in an hour's budget each", async () => {
    const start = Math.floor(nowMs / minuteMs) * minuteMs;
    for (let minute = 14 * 24 * 60 - 1; minute >= 1; minute -= 7) {
      await send(
        aMinute({ seq: 20_161 - minute, minuteStartMs: start - minute * minuteMs, historical: true, power: null }),
      );
    }
    expect(new Set(outcomes.slice(2))).toEqual(new Set(["data accepted"]));
  });

  test("another agent's hour is its own", async () => {
    for (let each = 0; each < 80; each += 1)
      await send(lastMinute({ bootId: `boot-${each}`, minuteStartMs: 1000 * dayMs - hourMs }));
    await send(lastMinute({ agentId: "thor-2", minuteStartMs: 1000 * dayMs - hourMs }));
    expect(outcomes.at(-1)).toBe("data accepted");
  });
});

test("of all agents' implausible minutes no more than 5,000 are kept, looked at after each hundred", async () => {
  const pruned: [number, number][] = [];
  const { pruneSetAside } = store;
  store.pruneSetAside = (beforeMs, maxKept) => {
    pruned.push([beforeMs, maxKept]);
    return pruneSetAside(beforeMs, maxKept);
  };
  const prunedAfter: number[] = [];
  for (let seq = 1; seq <= 300; seq += 1) {
    await send(lastMinute({ seq, minuteStartMs: 1 }));
    if (pruned.length > prunedAfter.length) prunedAfter.push(seq);
  }
  expect(prunedAfter).toEqual([100, 200, 300]);
  expect(pruned[0]).toEqual([Number.NEGATIVE_INFINITY, 5000]);
});

test("an implausible minute leaves no gap if it is the next one", async () => {
  await send(lastMinute({ seq: 1, minuteStartMs: 1 }));
  expect(fleet.get("thor-1")?.lastSeq).toBe(1);
  await send(lastMinute({ seq: 5, minuteStartMs: 1 }));
  expect(fleet.get("thor-1")?.lastSeq).toBe(1);
  await send(lastMinute({ bootId: "boot-9", seq: 2, minuteStartMs: 1 }));
  expect(fleet.get("thor-1")?.lastSeq).toBe(1);
});

test("a minute that can't be stored is not acknowledged, is counted, and health says so until it can", async () => {
  const { insertMinute } = store;
  store.insertMinute = () => Promise.reject(new Error("database or disk is full"));
  await expect(send(lastMinute())).rejects.toThrow("disk is full");
  expect(outcomes.at(-1)).toBe("data failed");
  expect(counts.totals().storeFault).toContain("disk is full");
  store.insertMinute = insertMinute;
  await send(lastMinute());
  expect(outcomes.at(-1)).toBe("data accepted");
  expect(counts.totals().storeFault).toBeNull();
});
