import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { decodeMessage, encodeMessage, maxMessageBytes } from "#protocol/codec.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyBucket, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import {
  Birth,
  ControllerState,
  Desired,
  MinuteData,
  type MinutePower,
  ModelTraffic,
  Presence,
} from "#protocol/messages.ts";
import { reconnectDelayMs } from "#protocol/mqtt/reconnect-pace.ts";
import { agentChannels, agentTopic, matchesFilter, parseAgentTopic } from "#protocol/topics.ts";
import { aBirth, aDesired, aMinute, aPresence } from "../fakes/builders.ts";

const presence = aPresence();
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

describe("codec", () => {
  test("what is encoded decodes to the same message", () => {
    expect(decodeMessage(Presence, bytes(encodeMessage(Presence, presence)))).toEqual({ ok: true, message: presence });
  });

  test.each([
    ["empty", new Uint8Array(), /not JSON/],
    ["half a message", bytes('{"v":1'), /not JSON/],
    ["not UTF-8", new Uint8Array([0xff, 0xfe]), /not JSON in UTF-8/],
    ["another type", bytes([]), /expected object/],
    ["null", bytes("null"), /expected object/],
    ["a missing key", bytes({ ...presence, role: undefined }), /role/],
    ["a wrong value", bytes({ ...presence, role: "boss" }), /role.*got "boss"/],
    ["an id that would break a topic", bytes({ ...presence, agentId: "a/b" }), /agentId/],
    ["another version", bytes({ ...presence, v: 2 }), /v: .*got 2/],
    ["too long", new Uint8Array(maxMessageBytes + 1), /the maximum is 262144/],
  ])("refuses %s with a reason", (_name, payload, reason) => {
    const decoded = decodeMessage(Presence, payload);
    expect(decoded.ok).toBe(false);
    expect(decoded.ok ? "" : decoded.reason).toMatch(reason);
  });

  test("refuses to send a field that is in no schema", () => {
    expect(() => encodeMessage(ControllerState, { ...presence } as never)).toThrow(/This is a bug/);
  });

  const mode = { id: 0, name: "MAXN", capacityQps: 350, busyWatts: 100, idleWatts: 20 };
  const minute = aMinute();
  const [traffic] = minute.traffic.models;
  const power = minute.power as MinutePower;
  test.each([
    ["a field", Presence, presence, { ...presence, extra: 1 }],
    [
      "fields within a field that may be null",
      Presence,
      { ...presence, asleep: { mac: null } },
      { ...presence, asleep: { mac: null, since: { ms: 3 } } },
    ],
    [
      "fields of the items of a list",
      Birth,
      aBirth({ board: { ...aBirth().board, powerModes: [mode] } }),
      aBirth({ board: { ...aBirth().board, powerModes: [{ ...mode, gpuMhz: 1575 } as typeof mode] } }),
    ],
    [
      "fields deep in a minute's record",
      MinuteData,
      minute,
      {
        ...minute,
        traffic: { ...minute.traffic, regions: [], models: [{ ...traffic, regions: ["eu"] }] },
        power: { ...power, volts: 19 },
      },
    ],
    ["a field of a desired document", Desired, aDesired(), { ...aDesired(), routes: [{ to: "thor-2" }] }],
    ["an own field by the name of an inherited one", Presence, presence, { ...presence, toString: 1 }],
  ] as [string, TSchema, unknown, unknown][])(
    "leaves out what a newer version says besides: %s",
    (_name, schema, known, sent) => {
      expect(decodeMessage(schema, bytes(sent))).toEqual({ ok: true, message: known });
    },
  );

  test.each([
    ["a cap", { powerModeCap: 7 }, /powerModeCap/],
    ["a role", { role: "boss" }, /role/],
    ["a list for an object", { reason: [] }, /reason/],
  ])("beside unknown fields %s that is wrong is still refused", (_name, wrong, reason) => {
    const decoded = decodeMessage(Desired, bytes({ ...aDesired(), routes: [], ...wrong }));
    expect(decoded.ok ? "" : decoded.reason).toMatch(reason);
  });

  test.each([
    ["a figure in what may be null", { ...power, energyJ: -1 }, "power.energyJ: expected number from 0 to"],
    ["a figure missing there", { ...power, measuredMs: undefined }, "power.measuredMs: expected number, got nothing"],
    ["another kind of value", 7, "power: expected object or null, got 7"],
  ])("the reason names the field itself: %s", (_name, power, reason) => {
    const decoded = decodeMessage(MinuteData, bytes({ ...minute, power }));
    expect(decoded.ok ? "" : decoded.reason).toStartWith(reason);
  });

  test("messages of the first version, without any field that came later, are understood", () => {
    const { power: _power, ...first } = minute;
    const firstPower = {
      modeId: 0,
      modeName: "MAXN",
      energyJ: 1,
      measuredMs: 1,
      maxTemperatureC: null,
      gpuUtilization: null,
    };
    expect(decodeMessage(MinuteData, bytes({ ...first, power: firstPower })).ok).toBe(true);
    expect(decodeMessage(Birth, bytes(aBirth())).ok).toBe(true);
    expect(decodeMessage(Desired, bytes(aDesired())).ok).toBe(true);
  });
});

describe("topics", () => {
  test("presence, desired documents and reports are retained, the rest is not", () => {
    expect(Object.entries(agentChannels).flatMap(([name, { retain }]) => (retain ? [name] : []))).toEqual([
      "presence",
      "desired",
      "reported",
    ]);
  });
  test("an agent's topic is read back", () => {
    expect(parseAgentTopic("f", agentTopic("f", "a", "cmd-result"))).toEqual({ agentId: "a", channel: "cmd-result" });
  });
  test.each([
    "thormesh/v1/other/agents/a/data",
    "thormesh/v2/f/agents/a/data",
    "thormesh/v1/f/agents/a/toString",
    "thormesh/v1/f/agents//data",
    "thormesh/v1/f/agents/a/data/more",
    "thormesh/v1/f/controller/state",
    "",
  ])("%p is none of ours", (topic) => {
    expect(parseAgentTopic("f", topic)).toBeNull();
  });
});

test.each([
  ["a/b", "a/b", true],
  ["a/+", "a/b", true],
  ["a/+", "a/b/c", false],
  ["a/+/c", "a/b/c", true],
  ["a/#", "a/b/c", true],
  ["a/#", "a", true],
  ["a/+/#", "a", false],
  ["a/+", "a", false],
  ["#", "x", true],
  ["a/b", "a", false],
  ["a", "a/b", false],
  ["a/+", "a/", true],
  ["+/b", "/b", true],
  ["a//c", "a/b/c", false],
  ["a/bc", "a/bd", false],
  ["a/+/c/#", "a/b/d/e", false],
])("filter %s on topic %s: %p", (filter, topic, matches) => {
  expect(matchesFilter(filter, topic)).toBe(matches);
});

describe("latency histogram", () => {
  test.each([
    [0, 0],
    [1, 0],
    [1.01, 1],
    [5000, 21],
    [5001, 22],
    [Number.POSITIVE_INFINITY, 22],
  ])("%p ms falls into bucket %p", (latencyMs, bucket) => {
    expect(latencyBucket(latencyMs)).toBe(bucket);
  });

  test("quantiles interpolate within a bucket", () => {
    const counts = emptyLatencyCounts();
    counts[latencyBucket(8)] = 100; // the bucket 7.5..10
    expect(latencyQuantileMs(counts, 0.5)).toBeCloseTo(8.75);
    expect(latencyQuantileMs(counts, 1)).toBeCloseTo(10);
  });
  test("none without requests, the highest bound in the overflow bucket", () => {
    expect(latencyQuantileMs(emptyLatencyCounts(), 0.95)).toBeNull();
    const slow = emptyLatencyCounts();
    slow[22] = 1;
    expect(latencyQuantileMs(slow, 0.5)).toBe(5000);
  });
  test("the buckets are those of docs/mqtt.md", () => {
    const bounds = Array.from({ length: 22 }, (_, index) => {
      const counts = emptyLatencyCounts();
      counts[index] = 1;
      return latencyQuantileMs(counts, 1);
    });
    const description = ModelTraffic.properties.latencyCounts.description ?? "";
    expect(description).toContain(` ${bounds.join(", ")} ms and slower`);
  });
  test("a quantile of 0 is the lower end of the first bucket with requests", () => {
    const counts = emptyLatencyCounts();
    counts[3] = 4;
    expect([latencyQuantileMs(counts, 0), latencyQuantileMs(counts, 0.5)]).toEqual([3, 4]);
  });
  test("histograms of fewer buckets add up too", () => {
    expect(addLatencyCounts([1, 2, 3], [1])).toEqual([2, 2, 3]);
  });
  test("histograms add up", () => {
    const one = emptyLatencyCounts();
    one[3] = 2;
    expect(addLatencyCounts(one, one)[3]).toBe(4);
  });
});

test.each([
  [0, 0.5, 500],
  [1, 0.5, 1000],
  [3, 0, 2000],
  [100, 0.5, 16_000],
  [100, 1, 24_000],
])("after %p failures with random %p it waits %p ms", (failures, random, delayMs) => {
  expect(reconnectDelayMs(failures, random)).toBe(delayMs);
});
