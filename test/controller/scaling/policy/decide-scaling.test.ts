import { describe, expect, test } from "bun:test";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const noon = Date.parse("2026-01-14T11:00:00Z");
const always = { timeZone: "UTC", start: "0 0 * * *", end: "0 0 * * *" };
const queue = { name: "queue", kind: "queue-depth", target: 10 };
const steady = (qps: number) => ({ quantiles: [{ level: 0.9, qps: new Array(15).fill(qps) }] });

const decide = (policy: object, seen: object) =>
  decideScaling(
    parseScalingPolicy({ minReplicas: 1, ...policy }, "test"),
    parseConfig(ScalingObservation, { nowMs: noon, currentReplicas: 4, liveQps: 1000, ...seen }, "test"),
  );

describe("each step of the order", () => {
  test.each([
    { $: "the present load", policy: {}, seen: { liveQps: 1401 }, to: 6, by: [] },
    { $: "what replicas measured counts", policy: {}, seen: { liveQps: 100, measuredReplicaQps: 17 }, to: 8, by: [] },
    { $: "unless they carry more than is said", policy: {}, seen: { measuredReplicaQps: 900 }, to: 4, by: [] },
    {
      $: "for the forecast as well",
      policy: { prediction: {} },
      seen: { liveQps: 0, measuredReplicaQps: 250, forecast: steady(999) },
      to: 5,
      by: [],
    },
    {
      $: "triggers raise it",
      policy: { triggers: [queue] },
      seen: { readings: [{ trigger: "queue", value: 70 }] },
      to: 7,
      by: [],
    },
    {
      $: "triggers don't lower it",
      policy: { triggers: [queue] },
      seen: { readings: [{ trigger: "queue", value: 7 }] },
      to: 4,
      by: [],
    },
    { $: "a forecast raises it", policy: { prediction: {} }, seen: { forecast: steady(1700) }, to: 7, by: [] },
    { $: "but doesn't lower it", policy: { prediction: {} }, seen: { forecast: steady(10) }, to: 4, by: [] },
    { $: "growth is limited", policy: {}, seen: { liveQps: 99_999 }, to: 8, by: ["growth-rate"] },
    {
      $: "shrinking waits",
      policy: {},
      seen: { liveQps: 10, history: { recommendations: [{ agoS: 60, replicas: 3 }] } },
      to: 3,
      by: ["stabilisation"],
    },
    {
      $: "a schedule's floor",
      policy: { schedules: [{ name: "s", ...always, floor: 9 }] },
      seen: {},
      to: 9,
      by: ["schedule-floor"],
    },
    {
      $: "its ceiling comes before the need",
      policy: { schedules: [{ name: "s", ...always, ceiling: 2 }] },
      seen: {},
      to: 2,
      by: ["schedule-ceiling"],
    },
    {
      $: "exact",
      policy: { schedules: [{ name: "s", ...always, exact: 5 }] },
      seen: {},
      to: 5,
      by: ["schedule-floor"],
    },
    { $: "the minimum", policy: { minReplicas: 3 }, seen: { liveQps: 1 }, to: 3, by: ["minimum"] },
    { $: "the maximum", policy: { maxReplicas: 5 }, seen: { liveQps: 2000 }, to: 5, by: ["maximum"] },
    {
      $: "the maximum holds without data",
      policy: { maxReplicas: 3 },
      seen: { liveQps: null },
      to: 3,
      by: ["maximum"],
    },
    {
      $: "missing data takes nothing away",
      policy: {},
      seen: { liveQps: 1, missingData: ["thor-3"] },
      to: 4,
      by: ["missing-data"],
    },
    {
      $: "not even for a ceiling",
      policy: { schedules: [{ name: "s", ...always, ceiling: 2 }] },
      seen: { missingData: ["a"] },
      to: 4,
      by: ["schedule-ceiling", "missing-data"],
    },
    { $: "missing data may add", policy: {}, seen: { liveQps: 1500, missingData: ["thor-3"] }, to: 6, by: [] },
    { $: "no rate at all", policy: {}, seen: { liveQps: null }, to: 4, by: [] },
    { $: "a trigger is silent", policy: { triggers: [queue] }, seen: { liveQps: 1 }, to: 4, by: ["missing-data"] },
    { $: "no forecast", policy: { prediction: {} }, seen: { liveQps: 1 }, to: 4, by: ["missing-data"] },
    { $: "paused", policy: { pause: { kind: "hold" } }, seen: { liveQps: 2000 }, to: 4, by: ["pause"] },
    { $: "paused at", policy: { pause: { kind: "at", replicas: 0 } }, seen: { liveQps: 2000 }, to: 0, by: ["pause"] },
    { $: "scale-in paused: in", policy: { pause: { kind: "scale-in" } }, seen: { liveQps: 1 }, to: 4, by: ["pause"] },
    { $: "scale-in paused: out", policy: { pause: { kind: "scale-in" } }, seen: { liveQps: 2000 }, to: 8, by: [] },
    {
      $: "scale-out paused: out",
      policy: { pause: { kind: "scale-out" } },
      seen: { liveQps: 2000 },
      to: 4,
      by: ["pause"],
    },
    { $: "scale-out paused: in", policy: { pause: { kind: "scale-out" } }, seen: { liveQps: 1 }, to: 1, by: [] },
    { $: "warming up, to the last", policy: {}, seen: { liveQps: 2000, warmUpLeftS: 0.5 }, to: 4, by: ["warm-up"] },
    {
      $: "shrinking as slowly as the policy says",
      policy: { behavior: { scaleDown: { policies: [{ type: "count", value: 1, periodS: 60 }] } } },
      seen: { liveQps: 1 },
      to: 3,
      by: ["shrink-rate"],
    },
    {
      $: "to nothing, as the forecast says",
      policy: { minReplicas: 0, load: false, prediction: {} },
      seen: { forecast: steady(0) },
      to: 0,
      by: [],
    },
    { $: "warming up", policy: {}, seen: { liveQps: 2000, warmUpLeftS: 5 }, to: 4, by: ["warm-up"] },
    {
      $: "frozen",
      policy: { pause: { kind: "at", replicas: 1 } },
      seen: { frozen: "fair" },
      to: 4,
      by: ["pause", "freeze"],
    },
    {
      $: "to nothing, without load",
      policy: { minReplicas: 0, load: false, triggers: [queue] },
      seen: { readings: [{ trigger: "queue", value: 0 }] },
      to: 0,
      by: [],
    },
    {
      $: "idle",
      policy: { minReplicas: 3, idleReplicas: 1, load: false, triggers: [queue] },
      seen: { readings: [{ trigger: "queue", value: 0 }] },
      to: 1,
      by: [],
    },
    {
      $: "schedules alone start from the minimum",
      policy: { load: false, schedules: [{ name: "s", ...always, floor: 2 }] },
      seen: { liveQps: null },
      to: 2,
      by: ["schedule-floor"],
    },
  ])("$$ -> $to", ({ policy, seen, to, by }) => {
    const decision = decide(policy, seen);
    expect(decision.replicas).toBe(to);
    expect(decision.limitedBy.map((step): string => step.by)).toEqual([...by]);
    expect(decision.kind).toBe(to > 4 ? "scale-out" : to < 4 ? "scale-in" : "hold");
  });
});

test.each([
  { kind: "scale-in", scaleInHeld: "paused", scaleOutHeld: null },
  { kind: "scale-out", scaleInHeld: null, scaleOutHeld: "paused" },
  { kind: "hold", scaleInHeld: "paused", scaleOutHeld: "paused" },
  { kind: "at", scaleInHeld: null, scaleOutHeld: null },
])("a pause of kind $kind holds back what it names and nothing else", ({ kind, ...held }) => {
  const pause = kind === "at" ? { kind, replicas: 4 } : { kind };
  expect(decide({ pause }, {})).toMatchObject(held);
});

test.each([
  [{}, { frozen: "fair", warmUpLeftS: 5 }, "frozen", "frozen", null],
  [{ pause: { kind: "hold" } }, { warmUpLeftS: 5 }, "warming-up", "warming-up", null],
  [{}, { missingData: ["a"], liveQps: null }, "silent-agents", null, "silent-agents"],
  [{ triggers: [queue] }, { liveQps: null }, "no-rate", null, "no-rate"],
  [{}, { liveQps: -0.5 }, "no-rate", null, "no-rate"],
  [{ triggers: [queue], prediction: {} }, {}, "failed-trigger", null, "failed-trigger"],
  [{ prediction: {} }, {}, "no-forecast", null, "no-forecast"],
  [{ pause: { kind: "scale-in" } }, { missingData: ["a"] }, "paused", null, "silent-agents"],
  [{}, {}, null, null, null],
])("what holds replicas back: %j %j", (policy, seen, scaleInHeld, scaleOutHeld, gap) => {
  expect(decide(policy, seen) as object).toMatchObject({ scaleInHeld, scaleOutHeld, gap });
});

test("an infinite rate is none", () => {
  const seen = parseConfig(ScalingObservation, { nowMs: noon, currentReplicas: 4 }, "test");
  const policy = parseScalingPolicy({ minReplicas: 1 }, "test");
  expect(decideScaling(policy, { ...seen, liveQps: Number.POSITIVE_INFINITY }).gap).toBe("no-rate");
});

test("the figures of the decision", () => {
  const schedules = [{ name: "fair", ...always, ceiling: 5, floor: 2 }];
  expect(decide({ name: "p", schedules }, { liveQps: 1500 })).toMatchObject({
    ...{ policy: "p", floor: 2, ceiling: 5, reactiveNeed: 6, wanted: 6, acts: true, followsDemand: true },
    proposals: { load: { qps: 1500, replicas: 6 }, triggers: null, prediction: null },
  });
  expect(decide({ mode: "preview" }, {}).acts).toBe(false);
  const follows = (policy: object) => decide({ load: false, ...policy }, { liveQps: null }).followsDemand;
  const alone = { schedules: [{ name: "s", ...always, floor: 2 }] };
  expect([follows(alone), follows({ triggers: [queue] }), follows({ prediction: {} })]).toEqual([false, true, true]);
  expect(decide({ maxReplicas: 9 }, { liveQps: 0 })).toMatchObject({
    ...{ floor: 1, ceiling: 9, reactiveNeed: 0, gap: null },
    proposals: { load: { qps: 0, replicas: 0 } },
  });
  expect(decide({ pause: { kind: "at", replicas: 7 }, maxReplicas: 9 }, {})).toMatchObject({ floor: 7, ceiling: 7 });
  expect(decide({ prediction: {} }, { liveQps: 1 })).toMatchObject({ predictiveNeed: null, wanted: 1 });
});

test.each<[string, object, object, string]>([
  [
    "the whole way",
    { schedules: [{ name: "fair", ...always, ceiling: 5, floor: 2 }] },
    { liveQps: 1500 },
    "1500 qps now need 6 replicas; schedules: fair wants at least 2 and at most 5 until 2026-01-15 00:00 UTC; schedule-ceiling: 6 -> 5; 4 -> 5",
  ],
  [
    "every rule",
    { triggers: [queue], prediction: {} },
    { readings: [{ trigger: "queue", value: 70 }], forecast: steady(10) },
    "1000 qps now need 4 replicas; triggers: queue asks for 7 (70 in all for 10 per replica); forecast: with 90 % at most 10 qps in 120 s, which needs 1 replica; 7 by reactive-need; 4 -> 7",
  ],
  ["a pause", { pause: { kind: "hold" } }, {}, "1000 qps now need 4 replicas; paused; stays at 4"],
  [
    "a freeze",
    {},
    { frozen: "fair", liveQps: 1500 },
    "1500 qps now need 6 replicas; freeze: 6 -> 4; frozen: fair; stays at 4",
  ],
  [
    "a warm-up",
    {},
    { warmUpLeftS: 4.2, liveQps: null },
    "the demand is unknown; observing the fleet for another 5 s; stays at 4",
  ],
  [
    "silent agents",
    {},
    { liveQps: 10, missingData: ["a", "b"] },
    "10 qps now need 1 replica; missing-data: 1 -> 4; no new data from a, b; stays at 4",
  ],
  [
    "no rate",
    { triggers: [queue] },
    { liveQps: null, readings: [{ trigger: "queue", value: 1 }] },
    "triggers: queue asks for 1 (1 in all for 10 per replica); missing-data: 1 -> 4; the present rate is not known; stays at 4",
  ],
  [
    "no forecast",
    { prediction: {} },
    { liveQps: 1 },
    "1 qps now need 1 replica; forecast: there is no forecast: no fewer than now, 4; missing-data: 1 -> 4; there is no forecast: no fewer than now, 4; stays at 4",
  ],
])("the reason tells %s", (_name, policy, seen, reason) => {
  const rules = parseScalingPolicy({ minReplicas: 1, ...policy }, "test");
  const observation = parseConfig(
    ScalingObservation,
    { nowMs: noon, currentReplicas: 4, liveQps: 1000, ...seen },
    "test",
  );
  expect(explainScaling(decideScaling(rules, observation), rules, observation)).toBe(reason);
});

test("properties: within the limits, never below the reactive need on scale-in, monotone in demand, the same each time", () => {
  let state = 11;
  const random = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  for (let round = 0; round < 120; round += 1) {
    const minReplicas = random(4);
    const maxReplicas = minReplicas + 1 + random(20);
    const bound = () => minReplicas + random(maxReplicas - minReplicas + 1);
    const policy = {
      minReplicas,
      maxReplicas,
      ...(random(2) === 0 ? { prediction: {} } : {}),
      ...(random(2) === 0 ? { triggers: [queue] } : {}),
      ...(random(3) === 0 ? { schedules: [{ name: "s", ...always, ceiling: bound() }] } : {}),
    };
    const triggers = "triggers" in policy ? { readings: [{ trigger: "queue", value: random(200) }] } : {};
    const seen = {
      currentReplicas: random(maxReplicas + 1),
      ...triggers,
      forecast: random(4) === 0 ? null : steady(random(6000)),
      missingData: random(5) === 0 ? ["a"] : [],
      history: { recommendations: [{ agoS: random(400), replicas: random(20) }] },
    };
    const rate = random(5000);
    const less = decide(policy, { ...seen, liveQps: rate });
    expect(decide(policy, { ...seen, liveQps: rate })).toEqual(less);
    expect(decide(policy, { ...seen, liveQps: rate + random(3000) }).replicas).toBeGreaterThanOrEqual(less.replicas);
    expect(less.replicas).toBeLessThanOrEqual(maxReplicas);
    expect(less.replicas).toBeGreaterThanOrEqual(minReplicas);
    if (less.kind === "scale-in") {
      expect(less.replicas).toBeGreaterThanOrEqual(Math.min(less.reactiveNeed ?? 0, less.ceiling));
      expect(seen.missingData).toEqual([]);
    }
  }
});

test("a capacity that replicas have not met is told", () => {
  const policy = parseScalingPolicy({ minReplicas: 1 }, "test");
  const given = { nowMs: noon, currentReplicas: 8, liveQps: 100, measuredReplicaQps: 17 };
  const seen = parseConfig(ScalingObservation, given, "test");
  expect(explainScaling(decideScaling(policy, seen), policy, seen)).toBe(
    "100 qps now need 8 replicas of 17 (measured; the policy says 350); stays at 8",
  );
});
