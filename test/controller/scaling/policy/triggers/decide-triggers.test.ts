import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { decideTriggers, type TriggerDecision } from "#controller/scaling/policy/triggers/decide-triggers.ts";
import { explainTriggers } from "#controller/scaling/policy/triggers/explain-triggers.ts";
import { parseFormula } from "#controller/scaling/policy/triggers/formula.ts";
import { TriggerInput } from "#controller/scaling/policy/triggers/trigger-input.ts";
import { parseConfig } from "#platform/files/read-config.ts";

// The library takes its time to load on a busy machine: not within a test's.
parseFormula("a", ["a"]);

const queue = { name: "queue", target: 10 };

function decide(policy: object, observation: object): TriggerDecision {
  const input = { policy: { triggers: [queue], ...policy }, ...observation };
  const { policy: rules, ...seen } = parseConfig(TriggerInput, input, "test");
  return decideTriggers(rules, seen);
}
const says = (value: number | null, more: object = {}) => [{ trigger: "queue", value, ...more }];

describe("between none and some", () => {
  test.each([
    { $: "active: to the minimum, at least one", min: 0, now: 0, value: 55, ago: null, to: 1 },
    { $: "not active without load", min: 0, now: 0, value: 0, ago: null, to: 0 },
    { $: "strictly above the activation", min: 0, now: 0, value: 50, activation: 50, ago: null, to: 0 },
    { $: "above it", min: 0, now: 0, value: 50.001, activation: 50, ago: null, to: 1 },
    { $: "activation comes before scaling", min: 0, now: 4, value: 40, activation: 50, ago: 301, to: 0 },
    { $: "but not before the cooldown is over", min: 0, now: 4, value: 40, activation: 50, ago: 300, to: 4 },
    { $: "in the cooldown HPA's rules go on, down to one", min: 0, now: 4, value: 0, ago: 10, to: 1 },
    { $: "with a minimum, activation doesn't matter", min: 1, now: 4, value: 40, activation: 50, ago: 9999, to: 4 },
    { $: "below the minimum", min: 2, now: 0, value: 0, ago: null, to: 2 },
    { $: "never active: rests at once", min: 0, now: 3, value: 0, ago: null, to: 0 },
    { $: "at the minimum HPA's rules hold", min: 4, now: 4, value: 40, ago: null, to: 4 },
    { $: "a negative value", min: 0, now: 0, value: -5, ago: null, to: 0 },
    { $: "a negative activation: zero is active", min: 0, now: 0, value: 0, activation: -1, ago: null, to: 1 },
  ])("$$: $now -> $to", ({ min, now, value, activation = 0, ago, to }) => {
    const policy = { minReplicas: min, triggers: [{ ...queue, activation }] };
    const decision = decide(policy, { currentReplicas: now, readings: says(value), lastActiveAgoS: ago });
    expect(decision).toMatchObject({ replicas: to, metricFailed: false });
  });

  test("never active and without an initial cooldown, it rests as soon as it is loaded", () => {
    expect(decide({}, { currentReplicas: 3, readings: says(0), loadedAgoS: 0 })).toMatchObject({
      ...{ replicas: 0, rule: "cooled-down", proposed: 0 },
    });
  });

  test("from idle, activity leads straight to the minimum", () => {
    const policy = { minReplicas: 3, idleReplicas: 1 };
    expect(decide(policy, { currentReplicas: 2, readings: says(5) })).toMatchObject({ rule: "active", replicas: 3 });
    expect(decide(policy, { currentReplicas: 3, readings: says(5) }).rule).toBe("values");
  });

  test("at the minimum the values count; below it nothing else does", () => {
    const seen = (currentReplicas: number) => ({ currentReplicas, readings: says(90) });
    expect(decide({ minReplicas: 4 }, seen(4))).toMatchObject({ rule: "values", hpaRule: "metric", replicas: 8 });
    expect(decide({ minReplicas: 4 }, seen(3))).toMatchObject({ rule: "below-minimum", hpaRule: null, replicas: 4 });
  });

  test.each([
    { loadedAgoS: 59, to: 1 },
    { loadedAgoS: 60, to: 1 },
    { loadedAgoS: 61, to: 0 },
    { loadedAgoS: null, to: 0 },
  ])("never active, $loadedAgoS s after loading with an initial cooldown of 60 s: $to", ({ loadedAgoS, to }) => {
    const decision = decide({ initialCooldownS: 60 }, { currentReplicas: 3, readings: says(0), loadedAgoS });
    expect(decision.replicas).toBe(to);
  });

  test.each([
    { $: "idle while nothing is active", now: 3, value: 0, ago: 400, to: 1 },
    { $: "in the cooldown it stays at the minimum", now: 3, value: 0, ago: 100, to: 3 },
    { $: "from idle straight to the minimum", now: 1, value: 5, ago: null, to: 3 },
    { $: "above the minimum, active: HPA's rules", now: 5, value: 45, ago: null, to: 5 },
    { $: "idle stays idle", now: 1, value: 0, ago: null, to: 1 },
    { $: "idle from nothing", now: 0, value: 0, ago: null, to: 1 },
  ])("idleReplicas 1, minimum 3: $$", ({ now, value, ago, to }) => {
    const policy = { minReplicas: 3, idleReplicas: 1 };
    expect(decide(policy, { currentReplicas: now, readings: says(value), lastActiveAgoS: ago }).replicas).toBe(to);
  });
});

describe("how many", () => {
  test.each([
    { $: "each gets its share", value: 55, now: 4, to: 6 },
    { $: "within the tolerance", value: 43, now: 4, to: 4 },
    { $: "at most the maximum", value: 1e12, now: 80, to: 100 },
    { $: "an absurd amount", value: 1e300, now: 80, to: 100 },
    { $: "HPA's growth limit: four or double", value: 1000, now: 3, to: 7 },
  ])("$$: $value on $now -> $to", ({ value, now, to }) => {
    expect(decide({}, { currentReplicas: now, readings: says(value) }).replicas).toBe(to);
  });

  test("a whole value: its share of the target times the replicas that are ready", () => {
    const policy = { triggers: [{ name: "queue", target: 100, metricType: "value" }] };
    expect(decide(policy, { currentReplicas: 4, readings: says(150) }).replicas).toBe(6);
    expect(decide(policy, { currentReplicas: 4, readyReplicas: 3, readings: says(150) }).replicas).toBe(5);
  });

  test("of several the one that asks for most", () => {
    const triggers = [queue, { name: "load", target: 5 }];
    const readings = [
      { trigger: "queue", value: 20 },
      { trigger: "load", value: 29 },
    ];
    const decision = decide({ triggers }, { currentReplicas: 5, readings });
    expect(decision).toMatchObject({ replicas: 6, proposed: 6, activeTriggers: ["queue", "load"] });
    expect(
      decision.proposals.map(({ metric, ...proposal }) => [metric, "replicas" in proposal && proposal.replicas]),
    ).toEqual([
      ["queue", 2],
      ["load", 6],
    ]);
  });

  test("stabilisation and rules are those of HPA", () => {
    const history = { recommendations: [{ agoS: 100, replicas: 9 }] };
    const decision = decide({}, { currentReplicas: 9, readings: says(20), history });
    expect(decision).toMatchObject({ replicas: 9, proposed: 2, limitedBy: ["stabilisation"] });
    const behavior = { scaleUp: { selectPolicy: "disabled" } };
    expect(decide({ behavior }, { currentReplicas: 2, readings: says(99) }).replicas).toBe(2);
  });
});

describe("when a trigger can't be read", () => {
  test.each([
    { $: "it never falls", now: 5, readings: says(null, { failures: 1 }), to: 5 },
    { $: "nor to nothing", now: 5, readings: says(null, { failures: 99 }), to: 5 },
    { $: "a value that is no amount", now: 5, readings: says(Number.POSITIVE_INFINITY), to: 5 },
    { $: "never read", now: 5, readings: [], to: 5 },
    { $: "none stay none", now: 0, readings: [], to: 0 },
  ])("$$", ({ now, readings, to }) => {
    const { policy, ...seen } = parseConfig(TriggerInput, { policy: { triggers: [queue] }, currentReplicas: now }, "x");
    const decision = decideTriggers(policy, {
      ...seen,
      readings: readings as typeof seen.readings,
      lastActiveAgoS: 999,
    });
    expect(decision).toMatchObject({ replicas: to, metricFailed: true, proposed: null });
  });

  test("one that works may still ask for more, not for less", () => {
    const triggers = [queue, { name: "load", target: 5 }];
    const readings = (load: number) => [{ trigger: "load", value: load }, ...says(null, { failures: 2 })];
    expect(decide({ triggers }, { currentReplicas: 4, readings: readings(30) }).replicas).toBe(6);
    expect(decide({ triggers }, { currentReplicas: 4, readings: readings(1) }).replicas).toBe(4);
  });

  test.each([
    { behavior: "static", failures: 4, now: 3, to: 6 },
    { behavior: "static", failures: 3, now: 3, to: 3 },
    { behavior: "static", failures: 4, now: 9, to: 6 },
    { behavior: "currentReplicas", failures: 4, now: 9, to: 9 },
    { behavior: "currentReplicasIfHigher", failures: 4, now: 9, to: 9 },
    { behavior: "currentReplicasIfHigher", failures: 4, now: 3, to: 6 },
    { behavior: "currentReplicasIfLower", failures: 4, now: 9, to: 6 },
    { behavior: "currentReplicasIfLower", failures: 4, now: 3, to: 3 },
    { behavior: "static", failures: 4, now: 0, to: 6 },
  ])("fallback of 6, $behavior, $failures failures (threshold 3), $now now: $to", ({ behavior, failures, now, to }) => {
    const policy = { fallback: { replicas: 6, behavior } };
    const decision = decide(policy, { currentReplicas: now, readings: says(null, { failures }), lastActiveAgoS: 9999 });
    expect(decision).toMatchObject({ replicas: to, metricFailed: failures <= 3 });
    expect(decision.fallbacks).toEqual(failures > 3 ? ["queue"] : []);
  });

  test("the fallback of a whole value asks for as many", () => {
    const policy = { triggers: [{ name: "queue", target: 100, metricType: "value" }], fallback: { replicas: 6 } };
    const readings = says(null, { failures: 4 });
    expect(decide(policy, { currentReplicas: 4, readyReplicas: 3, readings }).replicas).toBe(6);
  });
});

describe("a formula over triggers", () => {
  const triggers = [queue, { name: "load", target: 5 }];
  const formula = { expression: "queue > 15 ? queue + load : 0", target: 8, activation: 10 };
  const readings = (queue: number | null, load: number | null, failures = 1) =>
    [
      { trigger: "queue", value: queue },
      { trigger: "load", value: load },
    ].map((reading) => (reading.value === null ? { ...reading, failures } : reading));

  test.each([
    { $: "takes the place of the triggers' own targets", values: readings(20, 12), now: 3, to: 4 },
    { $: "its activation is what counts", values: readings(10, 99), now: 0, to: 0 },
    { $: "active", values: readings(16, 0), now: 0, to: 1 },
    { $: "a part is missing: no fall", values: readings(null, 1), now: 5, to: 5 },
  ])("$$", ({ values, now, to }) => {
    expect(decide({ triggers, formula }, { currentReplicas: now, readings: values }).replicas).toBe(to);
  });

  test("the fallback speaks for the formula", () => {
    const policy = { triggers, formula, fallback: { replicas: 7, failureThreshold: 2 } };
    const decision = decide(policy, { currentReplicas: 5, readings: readings(null, 3, 3) });
    expect(decision).toMatchObject({ replicas: 7, fallbacks: ["formula"], metricFailed: false });
  });

  test("a formula that reads only one needs only that one", () => {
    const only = { ...formula, expression: "load * 2" };
    expect(decide({ triggers, formula: only }, { currentReplicas: 2, readings: readings(null, 12) }).replicas).toBe(3);
  });

  test("division by zero is a failure, not a number", () => {
    const bad = { ...formula, expression: "queue / load" };
    const decision = decide({ triggers, formula: bad }, { currentReplicas: 5, readings: readings(3, 0) });
    expect(decision).toMatchObject({ replicas: 5, metricFailed: true });
    expect(decision.values[0]?.fault).toBe("the formula gives Infinity");
  });
});

test.each<[string, object, object, TriggerDecision["rule"], string]>([
  ["active", {}, { currentReplicas: 0, readings: says(55) }, "active", "active: queue is 55, above 0"],
  [
    "a fallback",
    { fallback: { replicas: 6 } },
    { currentReplicas: 0, readings: says(null, { failures: 4, reason: "no answer" }) },
    "fallback",
    "queue fails (no answer): the fallback asks for 6",
  ],
  ["unread", {}, { currentReplicas: 0 }, "unknown", "stays at 0, because a value is unknown: queue: has not been read"],
  ["inactive", {}, { currentReplicas: 0, readings: says(0) }, "inactive", "no trigger is active: 0"],
  [
    "cooled down",
    {},
    { currentReplicas: 4, readings: says(0), lastActiveAgoS: 301.5 },
    "cooled-down",
    "no trigger is active for 301 s, longer than the cooldown: 0",
  ],
  [
    "never active",
    {},
    { currentReplicas: 4, readings: says(0) },
    "cooled-down",
    "no trigger is active, longer than the cooldown: 0",
  ],
  [
    "below the minimum",
    { minReplicas: 2 },
    { currentReplicas: 0 },
    "below-minimum",
    "0 are fewer than the minimum of 2",
  ],
  [
    "by HPA's rules",
    {},
    { currentReplicas: 3, readings: says(1000) },
    "values",
    "queue asks for 100 (1000 in all for 10 per replica); 7 by growth-rate",
  ],
  [
    "with a trigger that fails",
    { minReplicas: 1 },
    { currentReplicas: 4, readings: says(null, { reason: "no answer" }) },
    "values",
    "no metric is known (queue: could not be fetched); queue: no answer",
  ],
])("the reason when %s", (_name, policy, observation, rule, reason) => {
  const input = parseConfig(TriggerInput, { policy: { triggers: [queue], ...policy }, ...observation }, "test");
  const { policy: rules, ...seen } = input;
  const decision = decideTriggers(rules, seen);
  expect(decision.rule).toBe(rule);
  expect(explainTriggers(decision, rules, seen)).toBe(reason);
});

test("all mistakes of a file at once", () => {
  const input = {
    policy: {
      minReplicas: 5,
      maxReplicas: 3,
      idleReplicas: 5,
      triggers: [queue, queue, { name: "max", target: 0 }],
      formula: { expression: "queue + quene", target: 1 },
    },
    currentReplicas: 1,
    readings: [{ trigger: "other", value: 1 }],
  };
  let lines: string[] = [];
  try {
    decisions["triggers"]?.answer(input, "x.json");
  } catch (error) {
    lines = (error as Error).message.split("\n  ").slice(1);
  }
  expect(lines.map((line) => line.split(":")[0])).toEqual([
    "policy.triggers.2.target",
    "policy.minReplicas",
    "policy.idleReplicas",
    "policy.triggers.1.name",
    "policy.triggers.2.name",
    "policy.formula.expression",
    "readings.0.trigger",
  ]);
});

test("properties: within 0..maximum, never lower for a higher value, the same each time", () => {
  let state = 7;
  const random = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  for (let round = 0; round < 300; round += 1) {
    const minReplicas = random(4);
    const policy = {
      minReplicas,
      maxReplicas: minReplicas + 1 + random(20),
      triggers: [{ ...queue, activation: random(30) }],
      ...(random(2) === 0 ? {} : { fallback: { replicas: random(10) } }),
    };
    const seen = { currentReplicas: random(25), lastActiveAgoS: random(700) };
    const low = random(200);
    const at = (value: number) => decide(policy, { ...seen, readings: says(value) });
    const [less, more] = [at(low), at(low + random(100))];
    expect(less).toEqual(at(low));
    expect(more.replicas).toBeGreaterThanOrEqual(less.replicas);
    expect(less.replicas).toBeLessThanOrEqual(policy.maxReplicas);
    expect(less.replicas).toBeGreaterThanOrEqual(0);
    const silent = decide(policy, { ...seen, readings: says(null, { failures: random(9) }) });
    if (!silent.fallbacks.includes("queue") && seen.currentReplicas <= policy.maxReplicas) {
      expect(silent.replicas).toBeGreaterThanOrEqual(seen.currentReplicas);
    }
  }
});
