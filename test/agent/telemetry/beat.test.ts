import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { type BeatParts, Beats } from "#agent/telemetry/beat.ts";
import type { AskedModel } from "#agent/traffic/felt-demand.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { Beat, type CapacityEstimate } from "#protocol/messages.ts";
import { createRecordingBroker, type RecordingBroker } from "../../fakes/memory-broker.ts";

const asked: AskedModel = {
  ...{ model: "mini", requests: 9, texts: 9, cachedTexts: 1, p95Ms: 40, slowRequests: 2 },
  refused: [{ cause: "queue", requests: 1, texts: 2, tokens: 20 }],
};
const capacity: CapacityEstimate = {
  ...{ model: "mini", modeName: "120W", qps: 17, tokensPerText: 20, confidence: 0.9, source: "saturated" },
};

let broker: RecordingBroker;
let nowMs: number;
let online: boolean;
let models: AskedModel[];
let random: number;
let sinceMs: number[];
let beats: Beats;

function start(change: Partial<BeatParts> = {}): void {
  beats = new Beats({
    identity: { fleet: "f", agentId: "thor-1", bootId: "b" },
    broker,
    controllerOnline: () => online,
    periodMs: 10_000,
    takeModels: () => models.splice(0),
    capacity: () => [capacity],
    utilization(since) {
      sinceMs.push(since);
      return { cpu: 0.5, gpu: null, memory: 0.25, processCpu: 0.4, processMemory: 0.1 };
    },
    state: () => ({ role: "active", modeName: "120W", queueDepth: 3 }),
    nowMs: () => nowMs,
    random: () => random,
    log: pino({ level: "silent" }),
    ...change,
  });
}

beforeEach(() => {
  broker = createRecordingBroker();
  broker.setConnected(true);
  [nowMs, online, models, random, sinceMs] = [1_000_000, true, [asked], 0.5, []];
  start();
});

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

/** Lets seconds pass; returns the times after which a beat came. */
async function pass(seconds: number): Promise<number[]> {
  const times: number[] = [];
  for (let second = 1; second <= seconds; second += 1) {
    nowMs += 1_000;
    const before = broker.published.length;
    beats.tick();
    await settle();
    if (broker.published.length > before) times.push(second);
  }
  return times;
}

const last = (): Beat => {
  const decoded = decodeMessage(Beat, new TextEncoder().encode(broker.published.at(-1)?.payload ?? ""));
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.message;
};

test("says every ten seconds what was asked for since the last time, what is carried, and how busy the device is", async () => {
  expect(await pass(20)).toEqual([10, 20]);
  const [first] = broker.published;
  expect(first).toMatchObject({ topic: "thormesh/v1/f/agents/thor-1/beat", retain: false, qos: 0 });
  expect(JSON.parse(first?.payload ?? "")).toEqual({
    ...{ v: 1, agentId: "thor-1", bootId: "b", sentAtMs: 1_010_000, windowMs: 10_000 },
    ...{ role: "active", modeName: "120W", queueDepth: 3 },
    models: [{ ...asked, capacity }],
    utilization: { cpu: 0.5, gpu: null, memory: 0.25, processCpu: 0.4, processMemory: 0.1 },
  });
  expect(last()).toMatchObject({ windowMs: 10_000, models: [] });
  expect(sinceMs).toEqual([1_000_000, 1_010_000]);
});

test("comes up to a fifth earlier or later", async () => {
  random = 0;
  start();
  expect(await pass(8)).toEqual([8]);
  random = 0.999;
  start();
  expect(await pass(12)).toEqual([12]);
});

test("a clock that is set back delays a beat by no more than the latest one may be", async () => {
  nowMs -= 2_000;
  beats.tick();
  await settle();
  expect(broker.published).toHaveLength(0);
  nowMs -= 1;
  beats.tick();
  await settle();
  expect(broker.published).toHaveLength(1);
});

test("a model without an estimate has none", async () => {
  start({ capacity: () => [] });
  await pass(10);
  expect(last().models[0]).toEqual(asked);
});

describe("trouble", () => {
  test.each([0, 0.5, 0.999])("is told within two seconds, random %d", async (value) => {
    await pass(3);
    random = value;
    beats.hasten();
    expect(await pass(2)).toEqual([1]);
    expect(last().windowMs).toBe(4_000);
  });

  test("is told half a second later at the earliest: a second refusal is in it, too", async () => {
    random = 0;
    beats.hasten();
    nowMs += 499;
    beats.tick();
    await settle();
    expect(broker.published).toHaveLength(0);
    nowMs += 1;
    beats.tick();
    await settle();
    expect(broker.published).toHaveLength(1);
  });

  test("that begins just before a beat does not delay it", async () => {
    await pass(9);
    beats.hasten();
    expect(await pass(1)).toEqual([1]);
  });
});

describe("is lost, not repeated", () => {
  test.each([
    { name: "without a connection", set: () => broker.setConnected(false), reset: () => broker.setConnected(true) },
    {
      name: "without a controller",
      set() {
        online = false;
      },
      reset() {
        online = true;
      },
    },
    { name: "when it can't be sent", set: () => broker.failNextPublishes(1), reset() {} },
  ])("$name", async ({ set, reset }) => {
    set();
    expect(await pass(10)).toEqual([]);
    reset();
    expect(await pass(10)).toEqual([10]);
    expect(last()).toMatchObject({ windowMs: 10_000, models: [] });
  });

  test("when its figures can't be had", async () => {
    let works = false;
    start({
      capacity() {
        if (!works) throw new Error("no figures");
        return [];
      },
    });
    expect(await pass(10)).toEqual([]);
    works = true;
    expect(await pass(10)).toEqual([10]);
  });
});

test("figures beyond the message's bounds are clamped", async () => {
  models = [{ ...asked, requests: 1e12 }];
  await pass(10);
  expect(last().models[0]?.requests).toBe(60_000_000);
});

test("a clock that is set back does not silence it", async () => {
  nowMs -= 3_600_000;
  expect(await pass(1)).toEqual([1]);
  expect(last().windowMs).toBe(1);
});
