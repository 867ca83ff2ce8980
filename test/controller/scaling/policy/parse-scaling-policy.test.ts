import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkScalingPolicy, parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { parseFormula } from "#controller/scaling/policy/triggers/formula.ts";
import { readConfigFile } from "#platform/files/read-config.ts";

// The library takes its time to load on a busy machine: not within a test's.
parseFormula("a", ["a"]);

const office = join(import.meta.dir, "../../../fixtures/policies/office.yaml");

test("a whole policy, defaults filled in", async () => {
  const policy = parseScalingPolicy(await readConfigFile(office), "office.yaml");
  expect(policy).toMatchObject({ name: "factory", load: true, pollingIntervalS: 30, cooldownS: 300 });
  expect(policy.triggers.map(({ kind, metricType }) => `${kind} ${metricType}`)).toEqual([
    "queue-depth average",
    "agents value",
    "prometheus average",
    "http-json average",
  ]);
  expect(policy.triggers[2]).toMatchObject({ timeoutS: 5, headers: {} });
});

test("nothing at all is a policy: it follows the load", () => {
  expect(parseScalingPolicy({}, "x")).toMatchObject({ mode: "act", minReplicas: 2, maxReplicas: 20, schedules: [] });
});

test("idle replicas are fewer than the least otherwise", () => {
  const triggers = [{ kind: "queue-depth", name: "queue", target: 10 }];
  expect(checkScalingPolicy({ minReplicas: 2, idleReplicas: 1, triggers })).toEqual([]);
  expect(checkScalingPolicy({ minReplicas: 2, idleReplicas: 2, triggers })).toEqual([
    "idleReplicas: expected fewer than minReplicas (2), got 2",
  ]);
});

test("all mistakes at once, each with its path", () => {
  const lines = checkScalingPolicy({
    mode: "watch",
    minReplicas: 3,
    maxReplicas: 9,
    speed: 1,
    prediction: { confidence: 2 },
    schedules: [
      { name: "a", timeZone: "Mars/Base", start: "0 9 * * *", end: "99 9 * * *", ceiling: 1 },
      { name: "a", timeZone: "UTC", start: "0 9 * * *", end: "0 9 * * *", floor: 20 },
    ],
    triggers: [
      { kind: "promethius", name: "p", target: 1 },
      { kind: "prometheus", name: "q", target: -1, url: "ftp://x", query: "up" },
      { kind: "agents", name: "q", target: 1, metric: "power.heat" },
      { kind: "http-json", name: "no-dash", target: 1, url: "http://x" },
      "queue",
    ],
    formula: { expression: "q + z", target: 1 },
    pause: { kind: "at" },
  });
  expect(lines.map((line) => line.split(":")[0])).toEqual([
    "mode",
    "prediction.confidence",
    "speed",
    "triggers.0.kind",
    "triggers.1.target",
    "triggers.1.url",
    "triggers.2.metric",
    "triggers.3.name",
    "triggers.3.path",
    "triggers.4.kind",
    "triggers.2.name",
    "formula.expression",
    "schedules.0.timeZone",
    "schedules.0.end",
    "schedules.1.name",
    "schedules.0.ceiling",
    "schedules.1.floor",
    "pause.replicas",
  ]);
});

describe("what only makes sense together", () => {
  test.each([
    { $: "limits the wrong way round", policy: { minReplicas: 9, maxReplicas: 2 }, path: "minReplicas" },
    { $: "a fallback of no trigger", policy: { fallback: { replicas: 2 } }, path: "fallback" },
    { $: "follows nothing", policy: { load: false }, path: "load" },
    {
      $: "a number of a pause that has none",
      policy: { pause: { kind: "hold", replicas: 2 } },
      path: "pause.replicas",
    },
    { $: "a pause above the maximum", policy: { pause: { kind: "at", replicas: 99 } }, path: "pause.replicas" },
    { $: "an object where a list is due", policy: { schedules: { name: "s" } }, path: "schedules" },
    { $: "the same of triggers", policy: { triggers: { a: 1 } }, path: "triggers" },
    { $: "a list", policy: [], path: "(top level)" },
    { $: "a text", policy: "scale up", path: "(top level)" },
  ])("$$", ({ policy, path }) => {
    expect(checkScalingPolicy(policy).map((line) => line.split(":")[0])).toEqual([path]);
  });
});

test("one schedule's mistakes do not hide another's", () => {
  const at = { timeZone: "UTC", start: "0 9 * * *", end: "0 17 * * *" };
  const schedules = [
    { ...at, name: "a", timeZone: "Mars/Base", start: "61 * * * *", floor: 2 },
    { ...at, name: "a", floor: 5, ceiling: 2, extra: 1 },
    { ...at, name: 7, floor: 2 },
    null,
  ];
  expect(checkScalingPolicy({ schedules }).map((line) => line.split(": ")[0])).toEqual([
    "schedules.1.extra",
    "schedules.2.name",
    "schedules.3",
    "schedules.0.timeZone",
    "schedules.0.start",
    "schedules.1.floor",
    "schedules.1.name",
  ]);
});
