import { expect, test } from "bun:test";
import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { explainFleetPlan } from "#controller/scaling/fleet-plan/explain-fleet-plan.ts";
import type { PlanChange, PlanShortfall } from "#controller/scaling/fleet-plan/plan-findings.ts";
import { offer, planInput } from "./fleet-plan-cases.ts";

const step = { active: [], starting: [], cloud: [], shortfallQps: 0 };
const method: FleetPlan["method"] = { by: "solver", isImproved: false, failures: [] };
const plan = (findings: Partial<FleetPlan["findings"]>, given: Partial<FleetPlan> = {}): FleetPlan => ({
  ...{ feasible: true, costUsd: 0.0123456, boundUsd: 0.012, gap: 0.0281, steps: [step, step], method },
  findings: { shortfalls: [], changes: [], leftOut: [], ...findings },
  ...given,
});
const short: PlanShortfall = {
  ...{ rule: "demandQps", why: "too-small", steps: [0], worstStep: 0, missingQps: 220, ofQps: 500, maxCarriedQps: 280 },
};

test.each<[Partial<PlanShortfall>, string]>([
  [
    {},
    "demandQps: 220 of 500 qps not carried at step 0 (step 0 short): everything that can serve by then carries 280 qps at 80 % utilisation",
  ],
  [
    { why: "price", steps: [0, 1, 2, 5], worstStep: 5 },
    "demandQps: 220 of 500 qps not carried at step 5 (steps 0-2, 5 short): carrying it would cost more than shortfallUsdPerRequest (0.5)",
  ],
  [
    { rule: "spareDevices", steps: [0, 1] },
    "spareDevices: with the 2 largest devices out, 220 of 500 qps would not be carried at step 0 (steps 0-1): the fleet is too small for it",
  ],
  [
    { rule: "cover", why: "transient" },
    "cover: 220 of 500 qps that may come would not be carried at step 0 (step 0): until more can serve, or because it would cost more than it is worth",
  ],
])("a limit that is not kept: %j", (given, text) => {
  const input = planInput({ spareDevices: 2, shortfallUsdPerRequest: 0.5 });
  expect(explainFleetPlan(plan({ shortfalls: [{ ...short, ...given }] }), input)[0]).toBe(text);
});

test.each<[PlanChange, string]>([
  [
    { step: 1, name: "Thor", kind: "start", ids: ["a", "b"], mode: "MAXN", servesFrom: 2 },
    "step 1: a and b (Thor) start in MAXN, serving from step 2",
  ],
  [{ step: 1, name: "Thor", kind: "start", ids: ["a"], mode: "MAXN", servesFrom: 1 }, "step 1: a (Thor) start in MAXN"],
  [{ step: 0, name: "Thor", kind: "switch", ids: ["a"], mode: "40W" }, "step 0: a (Thor) switch to 40W"],
  [
    { step: 3, name: "Thor", kind: "standby", ids: ["a", "b", "c", "d", "e", "f", "g", "h"] },
    "step 3: a, b, c, d, e, f and 2 more (Thor) to standby",
  ],
  [{ step: 2, name: "vm", kind: "units", from: 0, to: 1, qps: 80 }, "step 2: vm from 0 to 1 unit, serving 80 qps"],
  [
    { step: 2, name: "vm", kind: "units", from: 2, to: 0, qps: 0 },
    "step 2: vm from 2 to 0 units, the rest carries the demand",
  ],
])("a change: %j", (change, text) => {
  expect(explainFleetPlan(plan({ changes: [change] }), planInput())[0]).toBe(text);
});

test("what is left out, with the reason that several share", () => {
  const leftOut = [
    { id: "a", rule: "too-slow", fastestP95Ms: 12 },
    { id: "b", rule: "draining", fastestP95Ms: 5 },
    { id: "c", rule: "too-slow", fastestP95Ms: 12 },
    { id: "d", rule: "no-capacity", fastestP95Ms: 5 },
  ] as const;
  const input = planInput({ slo: { p95Ms: 10 }, cloud: [offer("vm", { p95Ms: 10.5 }), offer("fast", { p95Ms: 10 })] });
  expect(explainFleetPlan(plan({ leftOut }), input).slice(0, -1)).toEqual([
    "not used: a and c: slo.p95Ms 10: its fastest mode has a p95 of 12 ms, 2 ms too slow",
    "not used: b: draining",
    "not used: d: no mode within the SLO has any capacity",
    "not used: vm: slo.p95Ms 10: its p95 is 10.5 ms, 0.5 ms too slow",
  ]);
});

test.each<[Partial<FleetPlan["method"]>, Partial<FleetPlan>, string]>([
  [{}, {}, "the solver's plan: 0.01235 US$ for 2 steps, at most 2.81 % above the lowest cost"],
  [
    { by: "rounded-solver", isImproved: true },
    {},
    "the solver's plan with fractional devices, rounded, improved by search: 0.01235 US$ for 2 steps, at most 2.81 % above the lowest cost",
  ],
  [
    { by: "search", failures: ["too slow", "broken"] },
    { boundUsd: 0, gap: 1 },
    "the search's plan; the solver failed: too slow; broken: 0.01235 US$ for 2 steps, no bound is known",
  ],
])("how it was made: %j", (how, given, text) => {
  expect(explainFleetPlan(plan({}, { ...given, method: { ...method, ...how } }), planInput()).at(-1)).toBe(text);
});
