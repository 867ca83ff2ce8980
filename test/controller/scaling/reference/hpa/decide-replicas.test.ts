import { describe, expect, test } from "bun:test";
import { decideReplicas, type ReplicaDecision } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import { explainProposal, explainReplicas } from "#controller/scaling/reference/hpa/explain-replicas.ts";
import type { Proposal } from "#controller/scaling/reference/hpa/proposal.ts";
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

  test.each([
    { name: "above the maximum", current: 99, policy: { maxReplicas: 15 }, to: 15, limitedBy: ["maximum"] },
    { name: "below the minimum", current: 2, policy: { minReplicas: 3 }, to: 3, limitedBy: ["minimum"] },
    { name: "switched off", current: 0, policy: { minReplicas: 3 }, to: 0, limitedBy: [] },
  ])("$name no metric is asked", ({ current, policy, to, limitedBy }) => {
    expect(decideReplicas(queue(50, { currentReplicas: current }, policy)) as object).toMatchObject({
      ...{ replicas: to, limitedBy, metricFailed: false, proposed: null, proposals: [] },
    });
  });

  test("an object's total counts as an external one's", () => {
    const metrics = [{ kind: "object", name: "queue", targetAverageValue: 5 }];
    expect(decideReplicas(queue(60, {}, { metrics }))).toMatchObject({ replicas: 12, proposed: 12 });
  });

  test("a failed metric leaves a count that another one keeps", () => {
    const metrics = ["queue", "other"].map((name) => ({ kind: "external", name, targetAverageValue: 1 }));
    expect(decideReplicas(queue(10, { failedMetrics: ["other"] }, { metrics }))).toMatchObject({
      ...{ rule: "metric", replicas: 10, proposed: 10, metricFailed: true },
    });
  });

  test("a total below zero asks for none", () => {
    const history = { recommendations: [] };
    expect(decideReplicas(queue(-5, { history }))).toMatchObject({ replicas: 0, proposed: 0 });
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
    expect(decideReplicas(queue(1, { history }, { behavior }))).toMatchObject({ replicas: 9, proposed: 1 });
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
    const inputs = queue(500, {}, { maxReplicas: 15 });
    const decision = decideReplicas(inputs);
    expect(decision).toEqual({
      rule: "metric",
      replicas: 15,
      metricFailed: false,
      limitedBy: ["growth-rate", "maximum"],
      proposed: 500,
      proposals: [
        {
          ...{ metric: "queue", kind: "replicas", rule: "ratio", replicas: 500, ratio: 50 },
          basis: { of: "average", usage: 500, target: 1 },
        },
      ],
    });
    expect(explainReplicas(decision, inputs.policy, inputs.currentReplicas)).toBe(
      "queue asks for 500 (500 in all for 1 per replica); 15 by growth-rate, maximum",
    );
  });

  test.each<[Record<string, unknown>, Record<string, unknown>, ReplicaDecision["rule"], string]>([
    [{ currentReplicas: 0 }, { minReplicas: 1 }, "switched-off", "switched off: no replica although the minimum is 1"],
    [{ currentReplicas: 99 }, { maxReplicas: 15 }, "above-maximum", "99 are more than the maximum of 15"],
    [{ currentReplicas: 2 }, { minReplicas: 3 }, "below-minimum", "2 are fewer than the minimum of 3"],
    [{ failedMetrics: ["queue"] }, {}, "no-metric", "no metric is known (queue: could not be fetched)"],
    [
      { failedMetrics: ["other"] },
      {
        metrics: [
          { kind: "external", name: "queue", targetAverageValue: 1 },
          { kind: "external", name: "other", targetValue: 1 },
        ],
      },
      "failed-metric",
      "no shrinking to 3 while a metric is not known (other: could not be fetched)",
    ],
  ])("the reason with %j %j", (given, policy, rule, reason) => {
    const inputs = queue(3, given, policy);
    const decision = decideReplicas(inputs);
    expect(decision.rule).toBe(rule);
    expect(explainReplicas(decision, inputs.policy, inputs.currentReplicas)).toBe(reason);
  });

  const basis = { of: "use", ratio: 1.51234, ready: null, missing: 1, unready: 2 } as const;
  const proposal = { kind: "replicas", rule: "ratio", replicas: 3, ratio: 0.9 } as const;
  test.each<[Proposal, string]>([
    [{ ...proposal, basis: { ...basis, ready: 4 } }, "use is 1.512 of the target, times 4 ready"],
    [
      { ...proposal, rule: "within-tolerance", basis: { ...basis, ready: 4 } },
      "use is 1.512 of the target: within tolerance",
    ],
    [{ ...proposal, basis }, "use is 1.512 of the target, 0.9 with 1 missing and 2 unready"],
    [
      { ...proposal, rule: "uncertain", basis },
      "use is 1.512 of the target, 0.9 with 1 missing and 2 unready: the direction is not certain",
    ],
    [{ ...proposal, basis: { of: "total", usage: 9, target: 3, ready: null } }, "9 against 3"],
    [{ ...proposal, basis: { of: "total", usage: 9, target: 3, ready: 2 } }, "9 against 3, times 2 ready"],
    [{ kind: "failed", rule: "no-request", replica: "a" }, "replica a requests no cpu"],
    [{ kind: "failed", rule: "no-value" }, "a series has no value"],
    [{ kind: "failed", rule: "nothing-requested" }, "the sampled replicas request nothing"],
  ])("a proposal: %j", (given, text) => {
    expect(explainProposal(given, "cpu")).toBe(text);
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
