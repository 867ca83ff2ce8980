import { describe, expect, test } from "bun:test";
import {
  decideFleetPlan,
  defaultPlanLimits,
  type FleetPlan,
} from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { checkFleetPlanInput, type FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import type { MilpSolver } from "#controller/scaling/fleet-plan/milp/milp-solver.ts";
import { leastCostUsd } from "./brute-force.ts";
import { device, offer, planInput } from "./fleet-plan-cases.ts";
import { randomPlanInput } from "./random-input.ts";
import { wildPlanInput } from "./wild-input.ts";

const solver = await loadHighsSolver();
const broken: MilpSolver = { solve: () => ({ status: "none", reason: "it is broken", bound: null }) };
const exact = { ...defaultPlanLimits, relativeGap: 1e-7, maxIterations: 100_000 };
const activeAt = (plan: FleetPlan, step: number) => plan.steps[step]?.active.map(({ id, mode }) => `${id} ${mode}`);

describe("what is chosen", () => {
  const thirsty = device("dear", {
    class: "old",
    modes: [{ name: "MAXN", capacityQps: 350, p95Ms: 12, busyWatts: 120, idleWatts: 50 }],
  });
  const rows: [string, Partial<FleetPlanInput>, (plan: FleetPlan) => unknown, unknown][] = [
    [
      "one board is enough",
      { devices: ["a", "b"].map((id) => device(id, { modes: device(id).modes.slice(0, 1) })) },
      (plan) => plan.steps.map(({ active }) => active.length),
      [1, 1, 1, 1, 1],
    ],
    [
      "no demand: nobody serves",
      { demandQps: [0, 0] },
      (plan) => plan.steps.map(({ active }) => active.length),
      [0, 0],
    ],
    ["the frugal mode when it is enough", { demandQps: [100] }, (plan) => activeAt(plan, 0), ["a 40W"]],
    [
      "dear boards are swapped for cheap ones while the demand stays",
      { devices: [thirsty, device("cheap", { state: "standby" })] },
      (plan) => plan.steps.map((_, step) => activeAt(plan, step)),
      [["dear MAXN"], ...Array<string[]>(4).fill(["cheap MAXN"])],
    ],
    [
      "who starts serves when the start is done",
      { demandQps: [200, 200, 500, 500], devices: [device("a"), device("b", { state: "standby", startupS: 90 })] },
      (plan) => plan.steps.map(({ active, starting }) => `${active.length}+${starting.length}`),
      ["1+1", "1+1", "2+0", "2+0"],
    ],
    [
      "too late to start: priced, and it says so",
      { demandQps: [500, 500], devices: [device("a"), device("b", { state: "standby", startupS: 60 })] },
      (plan) => ({
        feasible: plan.feasible,
        short: plan.steps.map((step) => step.shortfallQps),
        why: plan.findings.shortfalls,
      }),
      {
        feasible: true,
        short: [220, 0],
        why: [
          {
            ...{ rule: "demandQps", why: "too-small", steps: [0], worstStep: 0 },
            ...{ missingQps: 220, ofQps: 500, maxCarriedQps: 280 },
          },
        ],
      },
    ],
    [
      "a board that just began to serve stays for its minimum",
      { devices: [device("a"), device("b", { stateForS: 30, minActiveS: 150 })] },
      (plan) => plan.steps.map(({ active }) => active.some(({ id }) => id === "b")),
      // Two more minutes; then either may serve.
      [true, true, expect.any(Boolean), expect.any(Boolean), expect.any(Boolean)],
    ],
    [
      "a board that just went to standby stays there for its minimum",
      {
        demandQps: [500, 500, 500],
        devices: [device("a"), device("b", { state: "standby", stateForS: 10, minStandbyS: 70, startupS: 0 })],
      },
      (plan) => plan.steps.map(({ active }) => active.length),
      [1, 2, 2],
    ],
    [
      "one to spare: the rest carries the demand",
      { spareDevices: 1, devices: [device("a"), device("b"), device("c")] },
      (plan) => ({ feasible: plan.feasible, active: plan.steps[0]?.active.map(({ mode }) => mode).sort() }),
      { feasible: true, active: ["40W", "40W", "40W"] },
    ],
    [
      "no fleet for the spare: infeasible, by how much, and everybody serves as far as needed",
      { spareDevices: 1, devices: [device("a")] },
      (plan) => [plan.feasible, plan.findings.shortfalls, plan.steps[0]?.shortfallQps],
      [
        false,
        [
          {
            ...{ rule: "spareDevices", why: "too-small", steps: [0, 1, 2, 3, 4], worstStep: 0 },
            ...{ missingQps: 200, ofQps: 200, maxCarriedQps: 0 },
          },
        ],
        0,
      ],
    ],
    [
      "modes beyond the SLO are not used",
      { demandQps: [100], slo: { p95Ms: 15 } },
      (plan) => activeAt(plan, 0),
      ["a MAXN"],
    ],
    [
      "a board without a mode within the SLO is named",
      { demandQps: [100], slo: { p95Ms: 10 } },
      (plan) => [plan.steps[0]?.active, plan.findings.leftOut],
      [[], ["a", "b"].map((id) => ({ id, rule: "too-slow", fastestP95Ms: 12 }))],
    ],
    [
      "draining and offline boards take no part",
      { demandQps: [100], devices: [device("a", { state: "draining" }), device("b", { state: "offline" })] },
      (plan) => [plan.steps[0]?.active, plan.steps[0]?.shortfallQps],
      [[], 100],
    ],
    [
      "a mode that may not be used any more is left at once",
      { demandQps: [100], devices: [device("a", { mode: "40W", modeSwitchS: 30 })], slo: { p95Ms: 15 } },
      (plan) => activeAt(plan, 0),
      ["a MAXN"],
    ],
    [
      "cloud units after their start; paid by the hour, they are filled before boards draw power",
      { demandQps: [280, 700, 700, 700], devices: [device("a")], cloud: [offer("vm")] },
      (plan) => plan.steps.map(({ cloud }) => cloud),
      [
        [{ id: "vm", units: 2, qps: 0 }],
        [{ id: "vm", units: 2, qps: 0 }],
        [{ id: "vm", units: 2, qps: 480 }],
        [{ id: "vm", units: 2, qps: 480 }],
      ],
    ],
    [
      "the cheaper of spot and on-demand",
      {
        demandQps: [200],
        devices: [device("a", { state: "offline" })],
        cloud: [offer("vm", { startupS: 0 }), offer("spot", { kind: "spot", usdPerHour: 0.068, startupS: 0 })],
      },
      (plan) => plan.steps[0]?.cloud,
      [{ id: "spot", units: 1, qps: 200 }],
    ],
    [
      "by the request where that is cheaper than by the hour",
      {
        demandQps: [1],
        devices: [device("a", { state: "offline" })],
        cloud: [
          offer("vm", { startupS: 0 }),
          offer("fn", { kind: "serverless", usdPerHour: 0, usdPerRequest: 1e-7, startupS: 0 }),
        ],
      },
      (plan) => plan.steps[0]?.cloud,
      [{ id: "fn", units: 1, qps: 1 }],
    ],
    [
      "what costs more than it is worth is left",
      {
        demandQps: [200],
        devices: [device("a", { state: "offline" })],
        cloud: [offer("vm", { startupS: 0 })],
        shortfallUsdPerRequest: 1e-9,
      },
      (plan) => [plan.steps[0]?.cloud, plan.steps[0]?.shortfallQps],
      [[], 200],
    ],
  ];
  test.each(rows)("%s", (_name, over, look, expected) => {
    expect(look(decideFleetPlan(planInput(over), solver, exact))).toEqual(expected as never);
  });

  test("cost and bound of a plan that can be worked out by hand", () => {
    const plan = decideFleetPlan(planInput({ demandQps: [280], devices: [device("a")] }), solver, exact);
    // Idle 20 W and 80 % of the 40 W to full load, for a minute.
    expect(plan.costUsd).toBeCloseTo((((20 + 0.8 * 40) / 1000) * 0.15) / 60, 12);
    expect(plan.boundUsd).toBeCloseTo(plan.costUsd, 12);
    expect(plan.gap).toBeLessThan(1e-6);
  });
});

describe("against all plans there are", () => {
  const usual = (seed: number) => {
    const devices = 1 + (seed % 3);
    return randomPlanInput(seed, { devices, classes: 2, maxModes: 2, steps: devices === 3 ? 3 : 4, maxUnits: 1 });
  };
  test.each([
    ["random small fleets", usual],
    ["fleets of makes of their own with figures from far apart", wildPlanInput],
  ])("200 %s: the same cost", (_name, inputOf) => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const input = inputOf(seed);
      expect(checkFleetPlanInput(input)).toEqual([]);
      const leastUsd = leastCostUsd(input);
      const plan = decideFleetPlan(input, solver, exact);
      const relative = Math.abs(plan.costUsd - leastUsd) / Math.max(leastUsd, 1e-9);
      expect({ seed, off: relative > 1e-6, boundAbove: plan.boundUsd > leastUsd * (1 + 1e-6) }).toEqual({
        seed,
        off: false,
        boundAbove: false,
      });
    }
  });
});

test("a solver that finds no whole numbers: the bound is that of the program with fractions", () => {
  const input = randomPlanInput(3, { devices: 12, classes: 3, maxModes: 2, steps: 8, maxUnits: 2 });
  const lazy: MilpSolver = {
    solve: (milp, limits) =>
      milp.whole.includes(true) ? { status: "none", reason: "too hard", bound: null } : solver.solve(milp, limits),
  };
  const { boundUsd, gap, costUsd } = decideFleetPlan(input, lazy, { ...defaultPlanLimits, relativeGap: 0 });
  expect(boundUsd).toBeGreaterThan(0);
  expect(boundUsd).toBeLessThanOrEqual(costUsd);
  expect(gap).toBeLessThan(0.1);
});

describe("without the solver", () => {
  test("the search takes its place and says why", () => {
    const plan = decideFleetPlan(planInput(), broken);
    expect(plan).toMatchObject({ feasible: true, boundUsd: 0, gap: 1 });
    expect(plan.method).toMatchObject({ by: "search", failures: ["it is broken", "it is broken"] });
    expect(plan.costUsd).toBeCloseTo(decideFleetPlan(planInput(), solver, exact).costUsd, 9);
  });

  test("whatever a fleet is in the middle of: a plan that keeps the rules", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const shape = { devices: 6, classes: 3, maxModes: 4, steps: 6, maxUnits: 2 };
      const few = { ...defaultPlanLimits, maxWork: 20_000 };
      for (const input of [wildPlanInput(seed), randomPlanInput(seed, shape)]) {
        const { costUsd } = decideFleetPlan(input, broken, few);
        expect(costUsd).toBeGreaterThanOrEqual(
          decideFleetPlan(input, broken, { ...few, maxWork: 200_000 }).costUsd - 1e-9,
        );
      }
    }
  });

  test("within 5 % of the solver's cost on random fleets of 50 devices", () => {
    // All fifty: scripts/bench/fleet-plan.
    for (const seed of [1, 9, 12, 35, 49]) {
      const input = randomPlanInput(seed, { devices: 50, classes: 4, maxModes: 3, steps: 15, maxUnits: 3 });
      const search = decideFleetPlan(input, broken);
      const { boundUsd, costUsd } = decideFleetPlan(input, solver, { ...defaultPlanLimits, relativeGap: 0.01 });
      expect({
        seed,
        within: search.costUsd <= costUsd * 1.05,
        above: search.costUsd >= boundUsd * (1 - 1e-9),
      }).toEqual({ seed, within: true, above: true });
    }
  });

  test.each([
    ["rubbish", (count: number) => Array<number>(count).fill(1e6)],
    ["fractions", (count: number) => Array<number>(count).fill(0.4)],
    ["nothing", (count: number) => Array<number>(count).fill(0)],
  ])("a solver that answers %s: still a plan that keeps the rules", (_name, valuesOf) => {
    const lying: MilpSolver = {
      solve: ({ costs }) => ({ status: "optimal", values: valuesOf(costs.length), bound: 0 }),
    };
    const input = randomPlanInput(7, { devices: 8, classes: 2, maxModes: 3, steps: 6, maxUnits: 2 });
    const plan = decideFleetPlan(input, lying);
    expect(plan.costUsd).toBeLessThanOrEqual(decideFleetPlan(input, broken).costUsd * 1.2);
    expect(plan.steps).toHaveLength(6);
  });
});

test("the same input gives the same plan", () => {
  const input = randomPlanInput(3, { devices: 12, classes: 3, maxModes: 2, steps: 8, maxUnits: 2 });
  expect(decideFleetPlan(structuredClone(input), solver)).toEqual(decideFleetPlan(input, solver));
});

test("more demand never costs less", () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const input = randomPlanInput(seed, { devices: 4, classes: 2, maxModes: 2, steps: 6, maxUnits: 2 });
    const more = { ...input, demandQps: input.demandQps.map((qps) => qps * 1.2 + 5) };
    const { boundUsd } = decideFleetPlan(input, solver);
    expect(decideFleetPlan(more, solver).costUsd).toBeGreaterThanOrEqual(boundUsd * (1 - 1e-6));
  }
});

test("a fleet of 1,000 in 5 classes: a plan near its bound; how near and how fast is for scripts/bench/fleet-plan", () => {
  const input = randomPlanInput(3, { devices: 1000, classes: 5, maxModes: 4, steps: 15, maxUnits: 3 });
  const plan = decideFleetPlan(input, solver);
  expect(plan.gap).toBeLessThan(0.5);
  expect(plan.boundUsd).toBeGreaterThan(0);
});
