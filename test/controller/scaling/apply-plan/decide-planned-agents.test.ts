import { describe, expect, test } from "bun:test";
import type { ScalingFigures, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import {
  capacityOf,
  decidePlannedAgents,
  maxCapacityOf,
  type PlannedAgent,
} from "#controller/scaling/apply-plan/decide-planned-agents.ts";
import { explainPlannedAgents } from "#controller/scaling/apply-plan/explain-planned-agents.ts";
import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const nowMs = 1_000_000_000;
const capacityByMode = new Map([
  ["MAXN", 400],
  ["70W", 200],
]);
function agent(agentId: string, over: Partial<PlannedAgent> = {}): PlannedAgent {
  const active = over.active ?? true;
  return {
    agentId,
    available: true,
    active,
    serves: active,
    mode: "MAXN",
    capacityByMode,
    roleIsHeld: false,
    modeIsHeld: false,
    mayLower: true,
    ...over,
  };
}
const standby = (agentId: string, over: Partial<PlannedAgent> = {}) => agent(agentId, { active: false, ...over });

interface Situation {
  agents: PlannedAgent[];
  /** Modes of those that the plan wants to serve. */
  plan: Record<string, string>;
  /** Modes of those that it wants to start. */
  starting?: Record<string, string>;
  /** True for a plan without a single step. */
  isEmpty?: boolean;
  liveQps?: number | null;
  windowPeakQps?: number | null;
  missingData?: string[];
  watchedS?: number;
  config?: Partial<ScalingConfig>;
  boundUsd?: number;
  gap?: number;
  /** Sentences that explain the plan itself. */
  reasons?: string[];
}

function decide({ agents, plan, liveQps = 300, windowPeakQps = 300, boundUsd = 0.004, ...rest }: Situation) {
  const config: ScalingConfig = {
    ...parseConfig(ScalingConfig, { policy: "fleet-plan" }, "test"),
    minReplicas: 1,
    ...rest.config,
  };
  const modesOf = (modes: Record<string, string>) => Object.entries(modes).map(([id, mode]) => ({ id, mode }));
  const step = { active: modesOf(plan), starting: modesOf(rest.starting ?? {}), cloud: [], shortfallQps: 0 };
  const fleetPlan: FleetPlan = {
    feasible: true,
    costUsd: 0.004,
    boundUsd,
    gap: rest.gap ?? (boundUsd === 0 ? 1 : 0),
    steps: rest.isEmpty === true ? [] : [step],
    findings: { shortfalls: [], changes: [], leftOut: [] },
    method: { by: "solver", isImproved: false, failures: [] },
  };
  const inputs: ScalingInputs = {
    warmUpEndsMs: 0,
    observedSinceMs: nowMs - (rest.watchedS ?? 3600) * 1000,
    liveQps,
    forecastPeakQps: 300,
    missingData: rest.missingData ?? [],
    recentPeaks: [],
    candidates: [],
  };
  const figures: ScalingFigures = {
    peakQps: windowPeakQps,
    windowPeakQps,
    need: 1,
    windowNeed: 1,
    activeCount: agents.filter(({ active }) => active).length,
    availableCount: agents.length,
    carriedQps: 0,
  };
  const planned = { plan: fleetPlan, agents, expectedQps: [300, 310], coverQps: [350, 400] };
  const decision = decidePlannedAgents(inputs, figures, planned, config, nowMs);
  return { decision, reason: explainPlannedAgents(decision, inputs, planned, config, nowMs, rest.reasons ?? []) };
}

describe("what is done about a plan", () => {
  const two = [agent("a"), agent("b")];
  test.each<[string, Situation, object]>([
    ["nothing to change", { agents: two, plan: { a: "MAXN", b: "MAXN" } }, { kind: "hold", rule: "plan" }],
    [
      "a start, in its mode",
      { agents: [agent("a"), standby("b")], plan: { a: "MAXN", b: "70W" } },
      { kind: "scale-out", activate: ["b"], standBy: [], modes: [{ agentId: "b", mode: "70W" }] },
    ],
    [
      "starts come first: who is replaced leaves another time",
      { agents: [agent("a"), standby("b")], plan: { b: "70W" } },
      { kind: "scale-out", activate: ["b"], standBy: [] },
    ],
    [
      "one that the plan starts in its first step",
      { agents: [agent("a"), standby("b"), standby("c")], plan: { a: "MAXN" }, starting: { b: "70W", c: "MAXN" } },
      {
        ...{ kind: "scale-out", rule: "plan", activate: ["b", "c"] },
        modes: [
          { agentId: "b", mode: "70W" },
          { agentId: "c", mode: "MAXN" },
        ],
        plan: { costUsd: 0.004, boundUsd: 0.004, gap: 0, feasible: true, devices: 3 },
      },
    ],
    [
      "a plan without a bound or a step",
      { agents: two, plan: {}, isEmpty: true, boundUsd: 0, watchedS: 60 },
      {
        ...{ kind: "hold", rule: "stabilising", planned: { spare: ["a", "b"] } },
        plan: { costUsd: 0.004, boundUsd: null, gap: null, feasible: true, devices: 0 },
      },
    ],
    [
      "one to standby",
      { agents: two, plan: { a: "MAXN" } },
      { kind: "scale-in", rule: "plan", activate: [], standBy: ["b"] },
    ],
    [
      "down to exactly what was needed, once the window was watched to the end",
      { agents: two, plan: { a: "MAXN" }, windowPeakQps: 320, watchedS: 600 },
      { kind: "scale-in", standBy: ["b"] },
    ],
    [
      "nothing known of any traffic",
      { agents: two, plan: { a: "MAXN", b: "MAXN" }, liveQps: 0, windowPeakQps: null },
      { kind: "hold", planned: { rule: "cheapest", neededQps: 0 } },
    ],
    [
      "a mode that is not known or not listed counts as the best one, none at all as nothing",
      {
        agents: [agent("a", { mode: null }), agent("b", { mode: "30W" }), agent("c", { capacityByMode: new Map() })],
        plan: {},
        missingData: ["a"],
      },
      { planned: { now: { devices: 3, carriedQps: 640 } } },
    ],
    [
      "not below what was needed lately",
      { agents: two, plan: { a: "MAXN" }, windowPeakQps: 330 },
      { kind: "hold", rule: "stabilising" },
    ],
    [
      "not below the present rate",
      { agents: two, plan: { a: "MAXN" }, windowPeakQps: 10, liveQps: 321 },
      { kind: "hold", rule: "stabilising" },
    ],
    [
      "not below the minimum",
      { agents: two, plan: { a: "MAXN" }, config: { minReplicas: 2 } },
      { kind: "hold", rule: "plan", planned: { rule: "minimum" }, figures: { activeCount: 2 } },
    ],
    [
      "not the last one",
      { agents: [agent("a")], plan: {}, liveQps: 0, windowPeakQps: 0 },
      { kind: "hold", rule: "plan", planned: { rule: "minimum" }, figures: { activeCount: 1 } },
    ],
    [
      "not the last one, though there may be none",
      { agents: [agent("a")], plan: {}, liveQps: 0, windowPeakQps: 0, config: { minReplicas: 0 } },
      { kind: "hold", rule: "plan", planned: { rule: "minimum" } },
    ],
    [
      "as many as leave the minimum",
      {
        agents: ["a", "b", "c"].map((id) => agent(id)),
        plan: { a: "MAXN" },
        windowPeakQps: 10,
        liveQps: 10,
        config: { minReplicas: 2 },
      },
      { kind: "scale-in", standBy: ["b"], planned: { spare: ["b", "c"] } },
    ],
    [
      "one, while another still starts",
      { agents: [agent("a"), agent("b"), agent("c", { serves: false })], plan: { a: "MAXN", c: "MAXN" } },
      {
        kind: "scale-in",
        standBy: ["b"],
        planned: { now: { devices: 2, carriedQps: 640 }, after: { devices: 2, carriedQps: 320 } },
      },
    ],
    [
      "a mode of the same capacity is no rise",
      {
        agents: [
          agent("a", {
            capacityByMode: new Map([
              ["MAXN", 400],
              ["other", 400],
            ]),
          }),
          agent("b"),
        ],
        plan: { a: "other", b: "MAXN" },
        missingData: ["a"],
      },
      { kind: "hold", rule: "missing-data" },
    ],
    [
      "nothing known of traffic: nothing is needed",
      { agents: two, plan: { a: "MAXN" }, liveQps: null, windowPeakQps: 0 },
      { kind: "scale-in", standBy: ["b"], planned: { neededQps: 0 } },
    ],
    [
      "not while figures are missing",
      { agents: two, plan: { a: "MAXN" }, missingData: ["b"] },
      { kind: "hold", rule: "missing-data" },
    ],
    [
      "not before the window was watched",
      { agents: two, plan: { a: "MAXN" }, watchedS: 60 },
      { kind: "hold", rule: "stabilising" },
    ],
    [
      "who still starts carries nothing yet",
      { agents: [agent("a"), agent("b", { serves: false })], plan: { b: "MAXN" } },
      { kind: "hold", rule: "stabilising" },
    ],
    [
      "not beyond the maximum",
      { agents: [agent("a"), standby("b")], plan: { a: "MAXN", b: "MAXN" }, config: { maxReplicas: 1 } },
      { kind: "hold", rule: "capacity" },
    ],
    [
      "a lower mode, as what was needed allows",
      { agents: two, plan: { a: "70W", b: "70W" } },
      {
        kind: "change-modes",
        rule: "plan",
        modes: [
          { agentId: "a", mode: "70W" },
          { agentId: "b", mode: "70W" },
        ],
      },
    ],
    [
      "a lower mode for one only",
      { agents: two, plan: { a: "70W", b: "70W" }, windowPeakQps: 400 },
      { kind: "change-modes", modes: [{ agentId: "a", mode: "70W" }] },
    ],
    [
      "no lower mode where it was changed lately",
      { agents: two.map((each) => ({ ...each, mayLower: false })), plan: { a: "70W", b: "70W" } },
      { kind: "hold", rule: "stabilising", planned: { rule: "mode-dwell" } },
    ],
    [
      "a lower mode for the one that may, a higher one whether it may or not",
      {
        agents: [agent("a"), agent("b", { mode: "70W", mayLower: false }), agent("c", { mayLower: false })],
        plan: { a: "70W", b: "MAXN", c: "70W" },
      },
      {
        kind: "change-modes",
        modes: [
          { agentId: "b", mode: "MAXN" },
          { agentId: "a", mode: "70W" },
        ],
      },
    ],
    [
      "a higher mode at once, figures missing or not",
      { agents: [agent("a", { mode: "70W" })], plan: { a: "MAXN" }, missingData: ["a"] },
      { kind: "change-modes", modes: [{ agentId: "a", mode: "MAXN" }] },
    ],
    [
      "one leaves as the other goes up",
      { agents: [agent("a", { mode: "70W" }), agent("b")], plan: { a: "MAXN" } },
      { kind: "scale-in", standBy: ["b"], modes: [{ agentId: "a", mode: "MAXN" }] },
    ],
    [
      "an operator's agent stays",
      { agents: [agent("a"), agent("b", { roleIsHeld: true })], plan: { a: "MAXN" } },
      { kind: "hold" },
    ],
    [
      "an operator's mode stays",
      { agents: [agent("a", { modeIsHeld: true }), agent("b")], plan: { a: "70W", b: "MAXN" } },
      { kind: "hold" },
    ],
    [
      "devices choose their modes themselves",
      {
        agents: two,
        plan: { a: "70W", b: "70W" },
        config: { plan: { ...parseConfig(ScalingConfig, {}, "t").plan, setPowerModes: false } },
      },
      { kind: "hold", rule: "plan" },
    ],
    [
      "an agent that is gone is not started",
      { agents: [agent("a"), standby("b", { available: false })], plan: { a: "MAXN", b: "MAXN" } },
      { kind: "hold", rule: "plan" },
    ],
    ["nobody at all", { agents: [], plan: {} }, { kind: "hold", rule: "plan" }],
  ])("%s", (_name, situation, expected) => {
    expect(decide(situation).decision).toMatchObject(expected);
  });

  test.each<[string, Situation, object]>([
    [
      "what serves now",
      { agents: two, plan: { a: "MAXN", b: "MAXN" } },
      { rule: "cheapest", now: { devices: 2, carriedQps: 640 } },
    ],
    [
      "what serves afterwards",
      { agents: two, plan: { a: "MAXN" } },
      { rule: "stand-by", after: { devices: 1, carriedQps: 320 }, spare: ["b"], neededQps: 300 },
    ],
    [
      "which modes change",
      { agents: two, plan: { a: "70W", b: "70W" }, liveQps: 310 },
      {
        ...{ rule: "lower-modes", neededQps: 310, after: { devices: 2, carriedQps: 320 } },
        moves: [
          { agentId: "a", from: "MAXN", to: "70W" },
          { agentId: "b", from: "MAXN", to: "70W" },
        ],
      },
    ],
    [
      "that the maximum allows fewer starts",
      { agents: [standby("a"), standby("b")], plan: { a: "MAXN", b: "MAXN" }, config: { maxReplicas: 1 } },
      { rule: "start", reachesMaximum: true },
    ],
    [
      "what could stand by once the others serve",
      { agents: [agent("a"), standby("b")], plan: { b: "70W" } },
      { rule: "start", spare: ["a"] },
    ],
  ])("its circumstances are told: %s", (_name, situation, planned) => {
    expect(decide(situation).decision.planned).toMatchObject(planned);
  });
});

const traffic = "Traffic is 300 texts/s; up to 310 is expected within 2 min, and 400 is possible.";
const price = "The plan costs 0.00400 US$ for 2 min, and none is cheaper.";
const two = [agent("a"), agent("b")];

test.each<[string, Situation, string]>([
  [
    "a start",
    { agents: [agent("a"), standby("b")], plan: { a: "MAXN", b: "70W" } },
    `${traffic} 1 device carries 320 at 80 % load -> switch on b (70W), to serve in about 60 s. ${price}`,
  ],
  [
    "a start that another makes way for",
    { agents: [agent("a", { mode: "70W" }), agent("c"), standby("b")], plan: { a: "MAXN", b: "70W" } },
    `${traffic} 2 devices carry 480 at 80 % load -> switch on b (70W), to serve in about 60 s, a from 70W to MAXN. Then c can stand by. ${price}`,
  ],
  [
    "a start at the maximum",
    {
      agents: [agent("a"), standby("b"), standby("c")],
      plan: { a: "MAXN", b: "70W", c: "70W" },
      config: { maxReplicas: 2 },
    },
    `${traffic} 1 device carries 320 at 80 % load -> switch on b (70W), to serve in about 60 s; no more, as the maximum is 2. ${price}`,
  ],
  [
    "a stop by a plan without a bound, and without a rate",
    { agents: two, plan: { a: "MAXN" }, boundUsd: 0, liveQps: null },
    "The present traffic is unknown; up to 310 is expected within 2 min, and 400 is possible. -> b to standby: the other 1 device carries 320 at 80 % load, and 300 was the most needed in the last 10 min. The plan costs 0.00400 US$ for 2 min; it was found by search, and its distance from the lowest cost is unknown.",
  ],
  [
    "lower modes, by a plan near the bound",
    { agents: two, plan: { a: "70W", b: "70W" }, gap: 0.02 },
    `${traffic} -> a from MAXN to 70W and b from MAXN to 70W: 2 devices carry 320 at 80 % load that way, with less electricity. The plan costs 0.00400 US$ for 2 min, at most 2.0 % more than the cheapest possible plan.`,
  ],
  [
    "a higher mode, by a plan far from the bound",
    { agents: [agent("a", { mode: "70W" })], plan: { a: "MAXN" }, gap: 0.2 },
    `${traffic} 1 device carries 160 at 80 % load -> a from 70W to MAXN, to carry more. The plan costs 0.00400 US$ for 2 min; the solver ran out of time before ruling out a cheaper one.`,
  ],
  [
    "the minimum",
    { agents: two, plan: { a: "MAXN" }, config: { minReplicas: 2 } },
    `${traffic} 2 devices carry 640 at 80 % load; fewer would do, but at least 2 must serve. ${price}`,
  ],
  [
    "a window that needed more",
    { agents: two, plan: { a: "MAXN" }, windowPeakQps: 330 },
    `${traffic} 2 devices carry 640 at 80 % load; less would do for that, but 330 was the most needed in the last 10 min. ${price}`,
  ],
  [
    "missing figures",
    { agents: two, plan: { a: "MAXN" }, missingData: ["b"] },
    `${traffic} 2 devices carry 640 at 80 % load; less would do, but there is no new data from b. ${price}`,
  ],
  [
    "a window not watched yet",
    { agents: two, plan: { a: "MAXN" }, watchedS: 60 },
    `${traffic} 2 devices carry 640 at 80 % load; less would do, but traffic has to be watched for another 9 min. ${price}`,
  ],
  [
    "the maximum",
    { agents: [agent("a"), standby("b")], plan: { a: "MAXN", b: "MAXN" }, config: { maxReplicas: 1 } },
    `${traffic} 1 device carries 320 at 80 % load; the plan wants more, but the maximum of 1 is on. ${price}`,
  ],
  [
    "a plan that can't keep everything",
    { agents: two, plan: { a: "MAXN", b: "MAXN" }, reasons: ["step 0: a start", "cover: 9 of 99 qps"] },
    `${traffic} 2 devices carry 640 at 80 % load, which is the cheapest way to carry that. Violated limits of the plan: cover: 9 of 99 qps. ${price}`,
  ],
])("the reason of %s", (_name, situation, reason) => {
  expect(decide(situation).reason).toBe(reason);
});

test("whatever the plan says: within minimum and maximum, never below the need on the way down, the same each time", () => {
  for (let seed = 1; seed <= 2000; seed += 1) {
    const random = seededRandom(seed);
    const chance = (share: number) => random() < share;
    const mode = () => (chance(0.5) ? "MAXN" : "70W");
    const agents = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, index) => {
      const active = chance(0.6);
      return agent(`agent-${index}`, {
        active,
        serves: active && chance(0.9),
        available: chance(0.9),
        mode: mode(),
        roleIsHeld: chance(0.1),
        modeIsHeld: chance(0.1),
      });
    });
    const plan = Object.fromEntries(agents.filter(() => chance(0.5)).map(({ agentId }) => [agentId, mode()]));
    const minReplicas = 1 + Math.floor(random() * 3);
    const config = { minReplicas, maxReplicas: minReplicas + Math.floor(random() * 4) };
    const situation: Situation = { agents, plan, liveQps: random() * 1500, windowPeakQps: random() * 1500, config };
    const { decision } = decide(situation);
    expect(decide(situation).decision).toEqual(decision);
    if (decision.kind === "hold") continue;
    const active = agents.filter((each) => each.active && each.available);
    const modes = new Map(decision.modes?.map((each) => [each.agentId, each.mode]));
    const carried = (ids: readonly PlannedAgent[], modeOf: (each: PlannedAgent) => string | null) =>
      0.8 * ids.reduce((sum, each) => sum + (each.serves ? (capacityByMode.get(modeOf(each) ?? "") ?? 0) : 0), 0);
    const after = active.filter(({ agentId }) => !(decision.standBy as readonly string[]).includes(agentId));
    const before = carried(active, (each) => each.mode);
    const now = carried(after, (each) => modes.get(each.agentId) ?? each.mode);
    if (decision.activate.length > 0) {
      expect(active.length + decision.activate.length).toBeLessThanOrEqual(config.maxReplicas);
    }
    if (decision.standBy.length > 0) expect(after.length).toBeGreaterThanOrEqual(Math.min(minReplicas, active.length));
    if (now < before || decision.standBy.length > 0) {
      expect(now).toBeGreaterThanOrEqual(Math.max(situation.liveQps ?? 0, situation.windowPeakQps ?? 0));
    }
    for (const { agentId } of agents.filter((each) => each.roleIsHeld)) {
      expect([...decision.activate, ...decision.standBy]).not.toContain(agentId);
    }
    for (const { agentId } of agents.filter((each) => each.modeIsHeld)) expect(modes.has(agentId)).toBe(false);
  }
});

test("what a fleet carries now: each in the mode it is in", () => {
  expect(capacityOf([agent("a"), agent("b", { mode: "70W" })])).toBe(600);
  expect(capacityOf([])).toBe(0);
});

test("what a fleet carries at most: who is there, each in its best mode, known or not", () => {
  const fleet = [agent("a", { mode: "70W" }), standby("b"), agent("c", { available: false })];
  expect(maxCapacityOf([...fleet, agent("d", { capacityByMode: new Map() })])).toBe(800);
  expect(maxCapacityOf([])).toBe(0);
});
