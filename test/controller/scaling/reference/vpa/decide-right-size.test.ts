import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import vpaCases from "../../../../fixtures/vpa-cases.json";

const answer = (input: unknown) => decisions["right-size"]?.answer(input, "x.json");

/** Compares numbers by a relative tolerance (absolute below 1), the rest exactly. */
function expectNear(actual: unknown, expected: unknown, tolerance: number): void {
  if (typeof expected === "number") {
    expect(Math.abs((actual as number) - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
  } else if (typeof expected === "object" && expected !== null) {
    expect(Object.keys(actual as object).sort()).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectNear((actual as Record<string, unknown>)[key], value, tolerance);
    }
  } else expect(actual).toBe(expected);
}

test("there are cases of every kind", () => {
  expect(new Set(vpaCases.cases.map(({ input }) => input.kind)).size).toBe(7);
});

test.each(vpaCases.cases.map((each) => [each.name, each] as const))("%s", (_name, each) => {
  expectNear(answer(each.input), each.expect, each.tolerance);
});

describe("what the cases leave open", () => {
  const linear = { scheme: "linear", maxValue: 10, bucketSize: 1 };

  test("no sample, or none that weighs anything, is 0", () => {
    const at = (samples: unknown[]) => answer({ kind: "percentile", options: linear, samples, percentiles: [0, 1] });
    expect(at([])).toEqual({ values: [0, 0] });
    expect(at([{ value: 3, weight: 0 }])).toEqual({ values: [0, 0] });
  });

  test("values outside the buckets go to the first and the last, which answers with its start", () => {
    const samples = [
      { value: -5, weight: 1 },
      { value: 99, weight: 1 },
    ];
    expect(answer({ kind: "percentile", options: linear, samples, percentiles: [0.5, 1] })).toEqual({
      values: [1, 10],
    });
  });

  test("a sample beyond 100 half-lives moves the reference, and what lay before fades away", () => {
    const samples = [
      { atS: 0, value: 9, weight: 1000 },
      { atS: 101, value: 1, weight: 1 },
      { atS: 5000, value: 2, weight: 1 },
    ];
    const input = { kind: "percentile", options: linear, halfLifeS: 1, samples, percentiles: [0, 1] };
    expect(answer(input)).toEqual({ values: [3, 3] });
  });

  const bounds = {
    ...{ kind: "confidence", cpuCores: 1, memoryBytes: 1e9, sampleCount: 0, firstSampleAtS: 5, lastSampleAtS: 5 },
  };
  test.each([
    ["upper", { multiplier: 1, exponent: 1 }, { cpuCores: 1e11, memoryBytes: 1e14 }],
    ["lower", { multiplier: 0.001, exponent: -2 }, { cpuCores: 0, memoryBytes: 0 }],
  ])("knowing nothing makes the %s bound as wide as it can be", (_name, change, expected) => {
    expect(answer({ ...bounds, ...change })).toEqual({ confidence: 0, ...expected });
  });

  test("the pod's minimum is divided by its containers; the margin is 15 % by default", () => {
    const size = { cpuCores: 0.001, memoryBytes: 1 };
    expect(answer({ kind: "minResources", ...size, containers: 2 })).toEqual({
      cpuCores: 0.012,
      memoryBytes: 131_072_000,
    });
    expect(answer({ kind: "margin", cpuCores: 1, memoryBytes: 1000 })).toEqual({ cpuCores: 1.15, memoryBytes: 1150 });
  });

  test("a kill older than the last sample by more than the interval, and usage out of order, are dropped", () => {
    const events = [
      { atS: 100_000, type: "usage", bytes: 5 },
      { atS: 99_999, type: "usage", bytes: 9 },
      { atS: 13_599, type: "oom", requestBytes: 9 },
      { atS: 13_600, type: "oom", requestBytes: 9 },
    ];
    expect(answer({ kind: "oom", events })).toEqual({
      accepted: [true, false, false, true],
      peaks: [{ windowEndS: 186_400, bytes: 104_857_609 }],
    });
  });

  test("the general maximum fills a gap of the policy only", () => {
    const each = { cpu: 500, memory: 500 };
    const recommendation = { target: each, lowerBound: {}, upperBound: each };
    const policy = { minAllowed: { cpu: 600 }, maxAllowed: { cpu: 550 } };
    expect(answer({ kind: "capping", recommendation, policy, globalMaxAllowed: { cpu: 100, memory: 100 } })).toEqual({
      target: { cpu: 550, memory: 100 },
      lowerBound: {},
      upperBound: { cpu: 550, memory: 100 },
    });
  });
});

describe("inputs that can't be", () => {
  test.each([
    [{ kind: "nap" }, 'kind: expected one of "buckets"'],
    [5, "expected object, got 5"],
    [
      { kind: "buckets", options: { scheme: "linear", maxValue: 1 } },
      "options.bucketSize: expected number, got nothing",
    ],
    [
      { kind: "buckets", options: { scheme: "linear", maxValue: 10, bucketSize: 1 }, startOf: [10, 11] },
      "startOf.1: expected a bucket from 0 to 10, got 11",
    ],
    [{ kind: "margin", cpuCores: "1", memoryBytes: 1 }, 'cpuCores: expected number, got "1"'],
    [
      { kind: "oom", events: [{ atS: 0, type: "oom", bytes: 1 }] },
      "events.0.requestBytes: expected number, got nothing",
    ],
    [[{ kind: "margin", cpuCores: 1, memoryBytes: 1 }, { kind: "margin" }], "item 1"],
  ])("%j", (input, message) => {
    expect(() => answer(input)).toThrow(message);
  });
});
