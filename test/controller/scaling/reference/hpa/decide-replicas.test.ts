import { describe, expect, test } from "bun:test";
import { decideReplicas } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import { checkReplicaInputs, ReplicaInputs } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import hpaCases from "../../../../fixtures/hpa-cases.json";

const read = (input: unknown) => parseConfig(ReplicaInputs, input, "case");

test("there are cases", () => expect(hpaCases.cases.length).toBe(54));

test.each(hpaCases.cases.map(({ name, source, ...rest }) => [name, source, rest] as const))(
  "%s (%s)",
  (_name, _source, { input, expect: expected }) => {
    const inputs = read(input);
    expect(checkReplicaInputs(inputs)).toEqual([]);
    expect(decideReplicas(inputs)).toMatchObject(expected);
  },
);

const queue = (value: number | null, more: Record<string, unknown> = {}, policy: Record<string, unknown> = {}) =>
  read({
    policy: {
      ...{ minReplicas: 0, maxReplicas: 100, metrics: [{ kind: "external", name: "queue", targetAverageValue: 1 }] },
      ...policy,
    },
    currentReplicas: 10,
    samples: [{ metric: "queue", value }],
    ...more,
  });

describe("what the cases leave open", () => {
  test.each([
    ["NaN", Number.NaN],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["null", null],
  ])("a series whose value is %s fails the metric and holds", (_name, value) => {
    const inputs = { ...queue(1), samples: [{ metric: "queue", value }] };
    expect(decideReplicas(inputs)).toMatchObject({ replicas: 10, metricFailed: true, limitedBy: ["failed-metric"] });
  });

  test("a replica whose sample is null counts as missing", () => {
    const replica = (id: string) => ({ id, phase: "running", ready: true });
    const inputs = read({
      policy: { maxReplicas: 10, metrics: [{ kind: "replica", name: "qps", targetAverageValue: 10 }] },
      currentReplicas: 2,
      replicas: [replica("a"), replica("b")],
      samples: [
        { metric: "qps", replica: "a", value: 30 },
        { metric: "qps", replica: "b", value: null },
      ],
    });
    expect(decideReplicas(inputs).replicas).toBe(3);
  });

  test.each([
    ["value", { targetValue: 5 }],
    ["average", { targetAverageValue: 5 }],
  ])("nothing to do at zero stays zero, by %s", (_name, target) => {
    const metrics = [{ kind: "object", name: "queue", ...target }];
    expect(decideReplicas(queue(0, { currentReplicas: 0 }, { metrics })).replicas).toBe(0);
  });

  test("a total below zero asks for none", () => {
    const history = { recommendations: [] };
    expect(decideReplicas(queue(-5, { history }))).toMatchObject({ replicas: 0, wish: 0 });
  });

  test("a value target without a listed replica fails rather than shrinks to none", () => {
    const metrics = [{ kind: "external", name: "queue", targetValue: 100 }];
    expect(decideReplicas(queue(1, {}, { metrics }))).toMatchObject({ replicas: 10, metricFailed: true });
  });

  test.each([
    [300, 30],
    [301, 20],
  ])("without rules a record %d s old", (agoS, replicas) => {
    const history = { recommendations: [{ agoS, replicas: 30 }] };
    expect(decideReplicas(queue(20, { history }, { legacyScaleUpLimit: { factor: 8 } })).replicas).toBe(replicas);
  });

  test("without rules growth is capped at twice the current number", () => {
    expect(decideReplicas(queue(99, {}, { legacyScaleUpLimit: {} }))).toMatchObject({
      replicas: 20,
      limitedBy: ["growth-rate"],
    });
  });

  test("what is left out of a behaviour is the default, key by key", () => {
    const behavior = { scaleDown: { policies: [{ type: "count", value: 1, periodS: 60 }] } };
    const history = { recommendations: [{ agoS: 299, replicas: 8 }] };
    expect(decideReplicas(queue(1, { history }, { behavior }))).toMatchObject({ replicas: 9, wish: 1 });
    expect(decideReplicas(queue(1, { history })).replicas).toBe(8);
  });

  test.each([
    ["min", 9],
    ["max", 5],
    ["disabled", 10],
  ])("shrinking by %s", (selectPolicy, replicas) => {
    const policies = [
      { type: "count", value: 1, periodS: 60 },
      { type: "percent", value: 50, periodS: 60 },
    ];
    const behavior = { scaleDown: { stabilizationWindowS: 0, selectPolicy, policies } };
    expect(decideReplicas(queue(1, {}, { behavior })).replicas).toBe(replicas);
  });

  test("ten per cent of 100 grows to 111: the arithmetic is that of floats", () => {
    const policies = [{ type: "percent", value: 10, periodS: 60 }];
    const inputs = queue(500, { currentReplicas: 100 }, { maxReplicas: 1000, behavior: { scaleUp: { policies } } });
    expect(decideReplicas(inputs).replicas).toBe(111);
  });

  test("says who asked and what limited it", () => {
    expect(decideReplicas(queue(500, {}, { maxReplicas: 15 }))).toEqual({
      replicas: 15,
      metricFailed: false,
      reason: "queue asks for 500 (500 in all for 1 per replica); 15 by growth-rate, maximum",
      limitedBy: ["growth-rate", "maximum"],
      wish: 500,
      proposals: [
        { metric: "queue", kind: "replicas", replicas: 500, ratio: 50, reason: "500 in all for 1 per replica" },
      ],
    });
  });
});

describe("inputs that can't be", () => {
  test.each([
    [{ minReplicas: 5, maxReplicas: 4 }, "policy.minReplicas: expected at most maxReplicas (4), got 5"],
    [
      { metrics: [{ kind: "replica", name: "qps", targetValue: 1 }] },
      "policy.metrics.0: expected targetAverageValue, got targetValue",
    ],
    [
      { metrics: [{ kind: "external", name: "qps" }] },
      "policy.metrics.0: expected one of targetValue, targetAverageValue, got no target",
    ],
  ])("%p", (policy, line) => {
    expect(checkReplicaInputs(queue(1, {}, policy))).toEqual([line]);
  });
  test("an id twice", () => {
    const replica = { id: "a", phase: "running" };
    expect(checkReplicaInputs(queue(1, { replicas: [replica, replica] }))).toEqual([
      'replicas.1.id: expected an id used once, got "a" again',
    ]);
  });
});
