import { describe, expect, test } from "bun:test";
import {
  aheadOfClock,
  implausibleBeat,
  implausibleMinute,
  withPlausibleCapacity,
} from "#controller/fleet/check-plausible.ts";
import { minuteMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Birth, MinutePower, ModelTraffic } from "#protocol/messages.ts";
import { aBeat, aBirth, aModel, aPower, aTraffic } from "../../fakes/builders.ts";

const nowMs = 1_000_000 * minuteMs;
const context = { birth: null as Birth | null, usualQps: 350, nowMs, oldestMs: nowMs - 1000 * minuteMs };
const withCapacities = (...capacities: (number | null)[]): Birth => {
  const { board } = aBirth();
  const powerModes = capacities.map((capacityQps, id) => ({
    ...board.powerModes[0]!,
    id,
    name: `m${id}`,
    capacityQps,
  }));
  return aBirth({ board: { ...board, powerModes } });
};

describe("capacities", () => {
  test("plausible ones leave the birth as it is", () => {
    const birth = withCapacities(35_000, null, 0);
    expect(withPlausibleCapacity(birth, 350)).toEqual({ birth, faults: [] });
    expect(withPlausibleCapacity(birth, 350).birth).toBe(birth);
  });

  test("implausible ones become unknown and are named", () => {
    const { birth, faults } = withPlausibleCapacity(withCapacities(35_001, 200, 1e6), 350);
    expect(birth.board.powerModes.map(({ capacityQps }) => capacityQps)).toEqual([null, 200, null]);
    expect(faults).toEqual([
      "mode m0: a capacity of 35001 texts/s is implausible, assuming 350",
      "mode m2: a capacity of 1000000 texts/s is implausible, assuming 350",
    ]);
  });
});

describe("time", () => {
  test.each<[string, number, string | null]>([
    ["this minute", nowMs, null],
    ["ten minutes ahead", nowMs + 10 * minuteMs, null],
    ["further ahead", nowMs + 11 * minuteMs, `${aheadOfClock} by 660 s: one of the clocks is wrong`],
    ["the oldest", context.oldestMs, null],
    ["older", context.oldestMs - minuteMs, "is older than the retention of minutes (retention.minuteDays)"],
    ["amid a minute", nowMs - 1, "does not start with a minute"],
  ])("%s", (_name, minuteStartMs, reason) => {
    expect(implausibleMinute({ traffic: aTraffic({ minuteStartMs }), power: null }, context)).toBe(reason);
  });
});

describe("traffic", () => {
  const judge = (models: ModelTraffic[], birth: Birth | null = null) =>
    implausibleMinute({ traffic: aTraffic({ minuteStartMs: nowMs, models }), power: null }, { ...context, birth });
  const model = (given: Partial<ModelTraffic>) => ({ ...aModel("mini", 600), ...given });
  const texts = (perS: number) => [model({ texts: perS * 60, tokens: 0 })];

  test.each<[string, Birth | null, number, string | null]>([
    ["a hundred times the usual", null, 35_000, null],
    ["more", null, 35_001, "35001 texts/s, more than the plausible maximum of 35000 for this board"],
    ["more than usual on a capable board", withCapacities(100, 1000), 100_000, null],
    [
      "more on a capable board",
      withCapacities(100, 1000),
      100_001,
      "100001 texts/s, more than the plausible maximum of 100000 for this board",
    ],
    ["the usual on a weak board", withCapacities(10), 35_000, null],
    ["the usual on a board of unknown capacity", withCapacities(null), 35_000, null],
  ])("%s", (_name, birth, perS, reason) => {
    expect(judge(texts(perS), birth)).toBe(reason);
  });

  test.each([
    ["a hundred times the usual", 175_000, null],
    ["more", 175_001, "35000 texts/s, more than the plausible maximum of 35000 for this board"],
  ])("of a beat, over all models and its seconds: %s", (_name, texts, reason) => {
    const [model] = aBeat().models;
    const models = ["a", "b"].map((name, index) => ({
      ...model!,
      model: name,
      requests: 9,
      texts: index === 0 ? texts : 175_000,
    }));
    expect(implausibleBeat(aBeat({ windowMs: 10_000, models }), { birth: null, usualQps: 350 })).toBe(reason);
  });

  const tenant = { tenant: "a", requests: 300, texts: 300, tokens: 3000, computeMs: 300 };
  test.each<[string, Partial<ModelTraffic>, string | null]>([
    ["nothing", { ...aModel("mini", 0) }, null],
    ["texts without a request", { ...aModel("mini", 0), texts: 1 }, "model mini: texts without a request"],
    ["tokens without a request", { ...aModel("mini", 0), tokens: 1 }, "model mini: texts without a request"],
    ["a text and a token of one request", { ...aModel("mini", 1), texts: 1, tokens: 1 }, null],
    ["as many latencies as requests", {}, null],
    ["more latencies than requests", { requests: 599 }, "model mini: 600 latencies of 599 requests"],
    ["the longest texts", { texts: 2, tokens: 2 * 1_048_576 }, null],
    ["longer texts than any", { texts: 2, tokens: 2 * 1_048_576 + 1 }, "model mini: 2097153 tokens in 2 texts"],
    ["tenants adding up", { tenants: [tenant, { ...tenant, tenant: "b" }] }, null],
    [
      "tenants' requests above all",
      { tenants: [{ ...tenant, requests: 601 }] },
      "model mini: 601 requests of tenants, of 600 in all",
    ],
    [
      "tenants' texts above all",
      { tenants: [tenant, { ...tenant, texts: 301 }] },
      "model mini: 601 texts of tenants, of 600 in all",
    ],
    [
      "tenants' tokens above all",
      { tenants: [tenant, { ...tenant, tokens: 3001 }] },
      "model mini: 6001 tokens of tenants, of 6000 in all",
    ],
    ["tenants' compute time above all by rounding", { tenants: [{ ...tenant, computeMs: 607 }] }, null],
    [
      "tenants' compute time above all",
      { tenants: [{ ...tenant, computeMs: 607.1 }] },
      "model mini: 607.1 computeMs of tenants, of 600 in all",
    ],
  ])("%s", (_name, given, reason) => {
    expect(judge([model(given)])).toBe(reason);
  });

  test("the compute time of all models is bounded", () => {
    const half = model({ computeMs: bounds.computeMs / 2 });
    expect(judge([half, half])).toBeNull();
    expect(judge([half, half, model({ computeMs: 1 })])).toBe("61440001 ms of computation in one minute");
  });

  test("every model is judged", () => {
    expect(judge([model({}), { ...aModel("b", 0), texts: 1 }])).toBe("model b: texts without a request");
  });
});

describe("energy", () => {
  const judge = (power: Partial<MinutePower>) =>
    implausibleMinute({ traffic: aTraffic({ minuteStartMs: nowMs }), power: aPower(power) }, context);
  const parts = { energyJ: 1000, idleJ: 0, activeJ: 100 };
  const model = (name: string, energyJ: number, ...tenants: number[]) => ({
    model: name,
    energyJ,
    tenants: tenants.map((each, index) => ({ tenant: `t${index}`, energyJ: each })),
  });

  test.each<[string, Partial<MinutePower>, string | null]>([
    ["a kilowatt for a minute, and a second", { energyJ: 61_000 }, null],
    ["more", { energyJ: 61_001 }, "61001 J in 60000 ms, which is more than any board draws"],
    ["a kilowatt for a second", { energyJ: 1000, measuredMs: 0 }, null],
    ["active alone as the total, by rounding", { energyJ: 100, activeJ: 102 }, null],
    ["idle and active as the total, by rounding", { energyJ: 100, idleJ: 51, activeJ: 51 }, null],
    [
      "idle and active above the total",
      { energyJ: 100, idleJ: 52, activeJ: 51 },
      "idle and active energy add up to more than the total",
    ],
    [
      "active alone above the total",
      { energyJ: 100, activeJ: 103 },
      "idle and active energy add up to more than the total",
    ],
    [
      "idle alone above the total",
      { energyJ: 100, idleJ: 103 },
      "idle and active energy add up to more than the total",
    ],
    [
      "models as the active energy, by rounding",
      {
        ...parts,
        models: [
          { model: "a", energyJ: 51 },
          { model: "b", energyJ: 51 },
        ],
      },
      null,
    ],
    [
      "models above it",
      {
        ...parts,
        models: [
          { model: "a", energyJ: 51 },
          { model: "b", energyJ: 51.1 },
        ],
      },
      "the models' energy adds up to more than the active energy",
    ],
    [
      "models without active energy",
      { energyJ: 100, models: [{ model: "a", energyJ: 2 }] },
      "the models' energy adds up to more than the active energy",
    ],
    ["tenants as their model, by rounding", { ...parts, models: [model("a", 50, 25, 26.5)] }, null],
    [
      "tenants above their model",
      { ...parts, models: [model("a", 50, 50), model("b", 50, 25, 26.6), model("c", 0, 9)] },
      "the tenants' energy adds up to more than that of model b",
    ],
  ])("%s", (_name, power, reason) => {
    expect(judge(power)).toBe(reason);
  });
});
