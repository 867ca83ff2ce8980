import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { UsageError } from "#platform/errors.ts";
import hpaCases from "../fixtures/hpa-cases.json";
import vpaCases from "../fixtures/vpa-cases.json";

/** A whole policy, for what an operator's file may have wrong. */
const scalingCase = {
  input: {
    nowMs: 1_768_392_000_000,
    currentReplicas: 4,
    readyReplicas: 3,
    liveQps: 900,
    readings: [
      { trigger: "queue", value: 130, failures: 0 },
      { trigger: "heat", value: null, failures: 5, reason: "down" },
    ],
    lastActiveAgoS: 10,
    loadedAgoS: 100,
    history: { recommendations: [{ agoS: 60, replicas: 5 }], changes: [{ agoS: 30, delta: -1 }] },
    forecast: { ageS: 5, stepS: 60, quantiles: [{ level: 0.9, qps: [900, 1000, 1200, 1500], coverage: 0.91 }] },
    missingData: [],
    policy: {
      minReplicas: 1,
      maxReplicas: 12,
      capacityPerReplicaQps: 350,
      targetUtilization: 0.8,
      prediction: { confidence: 0.85, leadS: 120, tolerance: 0.2, maxScaleUpFactor: 2 },
      schedules: [
        {
          name: "s",
          timeZone: "Europe/Berlin",
          start: "0 9 * * *",
          end: "0 17 * * *",
          floor: 2,
          ceiling: 9,
          priority: 1,
        },
      ],
      triggers: [
        { kind: "queue-depth", name: "queue", target: 20, activation: 1 },
        { kind: "agents", name: "heat", metric: "power.maxTemperatureC", target: 80, metricType: "value" },
      ],
      formula: { expression: "max(queue, heat)", target: 20 },
      fallback: { failureThreshold: 3, replicas: 4, behavior: "static" },
      behavior: { scaleDown: { stabilizationWindowS: 60, policies: [{ type: "count", value: 1, periodS: 60 }] } },
      pause: { kind: "scale-in" },
    },
  },
};

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsOf(inner, [...path, key])]);
}

function withValueAt(input: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(input);
  let parent = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  parent[path.at(-1) as string] = value;
  return copy;
}

const odd = [null, 0, -1, 1.5, 1e308, 1e-308, -1e17, 1e18, "x", "", true, [], {}, [null]];

/** Every value of every case replaced by each odd one in turn, thinned out evenly. */
function* mutationsOf(cases: readonly { input: unknown }[], every: number) {
  let index = 0;
  for (const { input } of cases) {
    for (const path of pathsOf(input)) {
      for (const value of odd) {
        index += 1;
        if (index % every === 0)
          yield { where: `${path.join(".")} = ${JSON.stringify(value)}`, input: withValueAt(input, path, value) };
      }
    }
  }
}

const { policy } = scalingCase.input;
const triggerTargets = policy.triggers.map(({ name, target }) => ({ name, target }));

describe.each([
  ["replicas", hpaCases.cases, 29],
  ["right-size", vpaCases.cases, 1],
  ["scaling", [scalingCase], 3],
  [
    "triggers",
    [
      {
        input: {
          policy: {
            triggers: triggerTargets,
            formula: policy.formula,
            fallback: policy.fallback,
            behavior: policy.behavior,
          },
          currentReplicas: 4,
          readings: scalingCase.input.readings,
          history: scalingCase.input.history,
        },
      },
    ],
    1,
  ],
] as const)("%s", (name, cases, every) => {
  test("an input with one odd value is answered with finite figures or refused, never a crash", () => {
    let answered = 0;
    let refused = 0;
    for (const { where, input } of mutationsOf(cases, every)) {
      try {
        const answer = JSON.stringify(decisions[name]?.answer(input, "x.json"), (_key, value) =>
          typeof value === "number" && !Number.isFinite(value) ? "not finite" : value,
        );
        expect({ where, finite: !answer.includes("not finite") }).toEqual({ where, finite: true });
        answered += 1;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        expect(error.message).toMatch(/\n {2}\S/);
        refused += 1;
      }
    }
    expect(answered).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });
});
