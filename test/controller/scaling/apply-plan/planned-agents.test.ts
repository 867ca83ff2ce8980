import { beforeEach, describe, expect, test } from "bun:test";
import {
  type AgentState,
  observeBirth,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  ScalingFigures,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import {
  PlannedAgents,
  type PlannedAgentsParts,
  plainGoesFirst,
} from "#controller/scaling/apply-plan/planned-agents.ts";
import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { PlanRequest } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideSpending } from "#controller/scaling/spending/decide-spending.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { minuteMs } from "#platform/time.ts";
import { aBirth, aPresence, aReported } from "../../../fakes/builders.ts";

const nowMs = 10_000 * minuteMs;
const figures: ScalingFigures = {
  ...{ peakQps: 300, windowPeakQps: 300, need: 2, windowNeed: 2, activeCount: 2, availableCount: 3, carriedQps: 560 },
};
const sufficient: ActiveAgentsDecision = { kind: "hold", rule: "sufficient", figures };
const out = (rule: "peak" | "below-minimum" | "replacement" | "override" | "overloaded"): ActiveAgentsDecision => ({
  ...{ kind: "scale-out", rule, figures, activate: [], standBy: [] },
});
const scaleIn = (rule: "peak" | "override", activeCount: number): ActiveAgentsDecision => ({
  ...{ kind: "scale-in", rule, figures: { ...figures, activeCount }, activate: [], standBy: [] },
});

describe("the plain rule goes first", () => {
  test.each<[string, ActiveAgentsDecision, number | null, boolean]>([
    ["without a forecast", sufficient, null, true],
    ["while warming up", { kind: "hold", rule: "warming-up", figures }, 300, true],
    ["without agents", { kind: "hold", rule: "no-agents", figures }, 300, true],
    ["without data", { kind: "hold", rule: "no-data", figures }, 300, true],
    ["not where it would hold for another reason", sufficient, 300, false],
    [
      "not where figures are missing: the plan looks at that itself",
      { kind: "hold", rule: "missing-data", figures },
      300,
      false,
    ],
    ["for a replacement", out("replacement"), 300, true],
    ["for the minimum", out("below-minimum"), 300, true],
    ["for an operator", out("override"), 300, true],
    ["not for a peak", out("peak"), 300, false],
    ["not for an overload", out("overloaded"), 300, false],
    ["for an operator's standby", scaleIn("override", 4), 300, true],
    ["above the maximum", scaleIn("peak", 5), 300, true],
    ["not at the maximum", scaleIn("peak", 4), 300, false],
  ])("%s", (_name, plain, forecastPeakQps, first) => {
    expect(plainGoesFirst(plain, { forecastPeakQps }, { maxReplicas: 4 })).toBe(first);
  });
});

describe("a plan is asked for", () => {
  let agents: Map<string, AgentState>;
  let requests: PlanRequest[];
  let step: FleetPlan["steps"][number];
  let now: number;
  const candidates = (given: Partial<Record<string, Partial<AgentCandidate>>> = {}): AgentCandidate[] =>
    ["a", "b", "c", "s"].map((agentId) => ({
      ...{ agentId, unavailable: null, active: agentId === "a" || agentId === "b", capacityQps: 350 },
      ...{ energyUsdPerRequest: null, wattsPerQps: null, overrideRole: null, ...given[agentId] },
    }));
  const inputs = (given: Partial<ScalingInputs> = {}): ScalingInputs => ({
    ...{ warmUpEndsMs: 0, observedSinceMs: 0, liveQps: 200, forecastPeakQps: 300, missingData: [], recentPeaks: [] },
    candidates: candidates().filter(({ agentId }) => agentId !== "s"),
    ...given,
  });
  const create = (given: Partial<ScalingConfig> = {}, more: Partial<PlannedAgentsParts> = {}) => {
    const config = { ...parseConfig(ScalingConfig, { policy: "fleet-plan", horizonMinutes: 3 }, "test"), ...given };
    const planned = new PlannedAgents({
      config,
      prices: { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 },
      fleet: { get: (agentId) => agents.get(agentId) },
      desired: { documents: new Map(), overrides: new Map() },
      planner: {
        async plan(request) {
          requests.push(request);
          return {
            ...{ feasible: true, costUsd: 1, boundUsd: 1, gap: 0, steps: [step] },
            findings: { shortfalls: [], changes: [], leftOut: [] },
            method: { by: "solver", isImproved: false, failures: [] },
          };
        },
      },
      nowMs: () => now,
      ...more,
    });
    return planned;
  };
  const forecast = (...qps: number[]) => ({ madeAtMs: nowMs, model: "m", reason: "", stepMs: minuteMs, qps });
  const history = (...rates: (number | null)[]) =>
    rates.map((qps, index) => ({ minuteStartMs: nowMs - (rates.length - index) * minuteMs, qps }));
  const bounds = { minReplicas: 1, maxReplicas: 4 };

  beforeEach(() => {
    now = nowMs;
    requests = [];
    agents = new Map();
    for (const agentId of ["a", "b", "c", "s"]) {
      const role = agentId === "a" || agentId === "b" ? "active" : "standby";
      const present = observePresence(unknownAgent(agentId, nowMs), aPresence({ agentId, role }), nowMs)!;
      const born = observeBirth(present, aBirth({ agentId }), nowMs);
      agents.set(agentId, observeReported(born, aReported({ agentId, role, sentAtMs: 2000 }), nowMs)!);
    }
    const active = ["a", "b"].map((id) => ({ id, mode: "MAXN" }));
    step = { active, starting: [], cloud: [], shortfallQps: 0 };
  });

  test("not before a forecast was seen, nor where the plain rule goes first", async () => {
    const planned = create();
    expect(await planned.decide(inputs(), sufficient, bounds, candidates())).toBeNull();
    planned.observe(history(200), forecast(300, 300, 300));
    expect(await planned.decide(inputs(), out("replacement"), bounds, candidates())).toBeNull();
    expect(requests).toEqual([]);
    expect(await planned.decide(inputs(), sufficient, bounds, candidates())).toMatchObject({
      kind: "hold",
      rule: "plan",
    });
  });

  test("with the forecast minute by minute, the devices as they are, and the configuration's terms", async () => {
    const planned = create();
    planned.observe(history(200), { ...forecast(300, 400), stepMs: 2 * minuteMs });
    await planned.decide(inputs(), sufficient, bounds, candidates());
    const [{ input, cover, solverMs }] = requests as [PlanRequest];
    expect(input).toMatchObject({
      demandQps: [300, 300, 400],
      stepS: 60,
      horizonSteps: 3,
      cloud: [],
      slo: { p95Ms: 1e12 },
    });
    expect(input.devices.map(({ id, state }) => `${id} ${state}`)).toEqual(["a active", "b active", "c standby"]);
    expect(cover.share).toBe(0.02);
    expect(solverMs).toBe(3000);
    // Before anything is known of misses, half as much again.
    expect(cover.qps.map(Math.round)).toEqual([450, 450, 600]);
  });

  test("within what may be spent: fewer units, no headroom, no top modes; at the prices of the coming quarter hours", async () => {
    const cloud = parseConfig(
      CloudConfig,
      [{ id: "spot", kind: "spot", capacityQps: 100, usdPerHour: 1, max: 5, reachable: true }],
      "test",
    );
    const due = (["widen-standby", "tighten-modes"] as const).map((action) => ({
      ...{ budget: "all", action, atPercent: 80, usedPercent: 85 },
    }));
    const pricesAt = (_agentId: string, timeMs: number) => ({
      tariffUsdPerKwh: timeMs < nowMs + 15 * minuteMs ? 0.1 : 0.5,
      amortisationUsdPerHour: 0.2,
    });
    const planned = create(
      { cloud, horizonMinutes: 30 },
      { spending: { current: () => decideSpending(2, due) }, pricesAt },
    );
    planned.observe(history(200), forecast(...new Array(30).fill(300)));
    await planned.decide(inputs(), sufficient, bounds, candidates());
    const [{ input, cover }] = requests as [PlanRequest];
    expect(input.cloud.map(({ id, max }) => [id, max])).toEqual([["spot", 2]]);
    expect(cover.qps).toEqual(new Array(30).fill(300));
    expect(input.devices.map(({ modes }) => modes.map(({ name }) => name))).toEqual([["70W"], ["70W"], ["70W"]]);
    expect(input.tariffUsdPerKwh).toBeCloseTo(0.3, 12);
    // Three devices at 350, then at 200 texts/s, and five, then two units at 100, used to 80 %.
    expect(planned.limits?.effect).toMatchObject({ carriedQps: 1240, leftQps: 640, riskyMinutes: 0, shortMinutes: 0 });
    await planned.decide(inputs({ liveQps: 500 }), sufficient, bounds, candidates());
    expect(requests[1]?.cover.qps).toEqual(new Array(30).fill(500));
  });

  test("a minute that was missed counts once, however many rounds fall into it", async () => {
    const coverAfter = async (rounds: number) => {
      now = nowMs;
      const planned = create();
      const pass = async (liveQps: number, times: number) => {
        now += minuteMs;
        planned.observe([{ minuteStartMs: now - minuteMs, qps: 300 }], { ...forecast(300, 300, 300), madeAtMs: now });
        for (let round = 0; round < times; round += 1)
          await planned.decide(inputs({ liveQps }), sufficient, bounds, candidates());
      };
      for (let minute = 0; minute < 200; minute += 1) await pass(300, 1);
      await pass(700, rounds);
      await pass(300, 1);
      return requests.at(-1)?.cover.qps;
    };
    expect(await coverAfter(9)).toEqual(await coverAfter(1));
  });

  test("with no less to cover than comes at present, and what usually comes at this hour", async () => {
    const planned = create();
    planned.observe(history(200), forecast(10, 10, 10));
    await planned.decide(inputs({ liveQps: 900 }), sufficient, bounds, candidates());
    expect(requests[0]?.cover.qps).toEqual([900, 900, 900]);
    const yesterday = create();
    yesterday.observe(history(...new Array(1500).fill(700)), forecast(10, 10, 10));
    await yesterday.decide(inputs(), sufficient, bounds, candidates());
    expect(requests[1]?.cover.qps.map(Math.round)).toEqual([700, 700, 700]);
  });

  test("after a day with the calibrated quantile of the peak, and no headroom on top", async () => {
    const peakQps = { q50: 310, q90: 380, q95: 400 };
    const calibrated = { ...forecast(300, 300, 500), qps95: [350, 350, 550], peakQps };
    const coverAfter = async (minutes: number, report: typeof calibrated | ReturnType<typeof forecast>) => {
      const planned = create();
      planned.observe(history(...new Array(minutes).fill(200)), report);
      await planned.decide(inputs(), sufficient, bounds, candidates());
      return requests.pop()?.cover.qps.map(Math.round);
    };
    expect(await coverAfter(1440, calibrated)).toEqual([400, 400, 500]);
    // The first day, and while the quantiles are assumed ones, half as much again as the forecast.
    expect(await coverAfter(1439, calibrated)).toEqual([450, 450, 750]);
    expect(await coverAfter(1440, { ...forecast(300, 300, 500), peakQps })).toEqual([450, 450, 750]);
  });

  test("with rates below one text a second as they are", async () => {
    const planned = create();
    planned.observe(history(0), forecast(0.25, 0.25, 0.25));
    await planned.decide(inputs({ liveQps: 0 }), sufficient, bounds, candidates());
    expect(requests[0]?.input.demandQps).toEqual([0.25, 0.25, 0.25]);
  });

  test("with little headroom after a day of forecasts that came true, each compared with its own minute", async () => {
    const planned = create();
    const rateAt = (minute: number) => (minute % 2 === 0 ? 100 : 1000);
    let minute = 0;
    for (; minute < 1600; minute += 1) {
      const startMs = nowMs + minute * minuteMs;
      planned.observe(
        [{ minuteStartMs: startMs, qps: rateAt(minute) }],
        forecast(rateAt(minute + 1), rateAt(minute + 2), rateAt(minute + 3)),
      );
    }
    await planned.decide(inputs({ liveQps: 100 }), sufficient, bounds, candidates());
    const cover = requests[0]?.cover.qps ?? [];
    expect(cover.map((qps, lead) => qps / rateAt(minute + lead))).toEqual([
      expect.closeTo(1, 1),
      expect.closeTo(1, 1),
      expect.closeTo(1, 1),
    ]);
  });

  test("with how long each agent has been in its role; long ago where it was so from the start", async () => {
    const planned = create();
    planned.observe(history(200), forecast(300, 300, 300));
    await planned.decide(inputs(), sufficient, bounds, candidates());
    now += 90_000;
    const changed = candidates({ b: { active: false } }).slice(0, 3);
    await planned.decide(inputs({ candidates: changed }), sufficient, bounds, candidates());
    now += 30_000;
    await planned.decide(inputs({ candidates: changed }), sufficient, bounds, candidates());
    const stateForS = (request: number) => requests[request]?.input.devices.map((device) => device.stateForS);
    expect(stateForS(0)).toEqual([1e9, 1e9, 1e9]);
    expect(stateForS(1)).toEqual([1e9, 0, 1e9]);
    expect(stateForS(2)).toEqual([1e9, 30, 1e9]);
  });

  test("and lowers no mode that was changed in the last ten minutes", async () => {
    const planned = create();
    planned.observe(history(200), forecast(300, 300, 300));
    const moveTo = (powerMode: string) => {
      const { a } = Object.fromEntries(agents);
      agents.set("a", observeReported(a as AgentState, aReported({ agentId: "a", powerMode, sentAtMs: 3000 }), now)!);
    };
    const lowered = async () => {
      const given = inputs({ liveQps: 20, recentPeaks: [] });
      const small = { ...sufficient, figures: { ...figures, peakQps: 20, windowPeakQps: 20 } };
      return await planned.decide(given, small, bounds, candidates());
    };
    step = { ...step, active: ["a", "b"].map((id) => ({ id, mode: id === "a" ? "70W" : "MAXN" })) };
    expect(await lowered()).toMatchObject({ kind: "change-modes", modes: [{ agentId: "a", mode: "70W" }] });
    moveTo("70W");
    now += minuteMs;
    expect(await lowered()).toMatchObject({ kind: "hold", rule: "plan" });
    moveTo("MAXN");
    now += minuteMs;
    const held = await lowered();
    expect(held).toMatchObject({ kind: "hold", rule: "stabilising" });
    expect(held?.reason).toContain("modes are kept for at least 10 min and changed at most 40 times a day");
    now += 11 * minuteMs;
    expect(await lowered()).toMatchObject({ kind: "change-modes", modes: [{ agentId: "a", mode: "70W" }] });
  });

  test("and followed within the bounds of a policy, with its reasons", async () => {
    const planned = create();
    planned.observe(history(200), forecast(300, 300, 300));
    step = { ...step, active: ["a", "b", "c"].map((id) => ({ id, mode: "MAXN" })) };
    const within = (maxReplicas: number) =>
      planned.decide(inputs(), sufficient, { minReplicas: 1, maxReplicas }, candidates());
    expect(await within(3)).toMatchObject({ kind: "scale-out", activate: ["c"] });
    const held = await within(2);
    expect(held).toMatchObject({ kind: "hold", rule: "capacity", plan: { devices: 3 } });
    expect(held?.reason).toContain("the maximum of 2 is on");
    expect(held?.plan?.reasons?.at(-1)).toContain("the solver's plan");
  });

  describe("with cloud offers", () => {
    const offer = { id: "spot", kind: "spot", capacityQps: 100, usdPerHour: 1, startupS: 60 };
    const cloudOf = (...offers: object[]) => parseConfig(CloudConfig, offers, "test");
    const decide = async (planned: PlannedAgents, given: Partial<ScalingInputs> = {}) => {
      planned.observe(history(200), forecast(300, 300, 300));
      return await planned.decide(inputs(given), sufficient, bounds, candidates());
    };

    test("agents that are units start when the plan wants them", async () => {
      step = { ...step, cloud: [{ id: "spot", units: 1, qps: 80 }] };
      const decision = await decide(create({ cloud: cloudOf({ ...offer, agents: ["s"] }) }));
      expect(requests[0]?.input.cloud).toMatchObject([{ id: "spot", max: 1, running: 0 }]);
      expect(decision).toMatchObject({
        ...{ kind: "scale-out", rule: "plan", activate: ["s"] },
        cloud: [{ id: "spot", units: 1, qps: 80, by: "agents" }],
      });
      expect(decision?.reason).toEndWith("Cloud: spot (spot) from 0 to 1 unit -> switch on s.");
    });

    test.each<[string, Partial<ScalingInputs>, object]>([
      ["are given back when the rest carries what was needed", {}, { kind: "scale-in", standBy: ["s"] }],
      [
        "as soon as the window was watched to its end",
        { observedSinceMs: nowMs - 600_000 },
        { kind: "scale-in", standBy: ["s"] },
      ],
      ["not while figures are missing", { missingData: ["a"] }, { kind: "hold" }],
      ["not before the window was watched", { observedSinceMs: nowMs - 1 }, { kind: "hold" }],
      ["not where more comes than the devices carry", { liveQps: 561 }, { kind: "hold" }],
    ])("agents that are units %s", async (_name, given, expected) => {
      agents.set("s", { ...agents.get("s")!, presence: aPresence({ agentId: "s", role: "active" }) });
      const planned = create({ cloud: cloudOf({ ...offer, agents: ["s"] }) });
      planned.observe(history(200), forecast(300, 300, 300));
      const everyone = candidates({ s: { active: true } });
      expect(await planned.decide(inputs(given), sufficient, bounds, everyone)).toMatchObject(expected);
    });

    test("what requests reach by themselves is planned on as it was planned last", async () => {
      const planned = create({ cloud: cloudOf({ ...offer, reachable: true, max: 5 }) });
      step = { ...step, cloud: [{ id: "spot", units: 2, qps: 150 }] };
      await decide(planned);
      await decide(planned);
      expect(requests.map(({ input }) => input.cloud[0]?.running)).toEqual([0, 2]);
    });

    test("slower offers than the configured p95 are for the plan to leave out", async () => {
      const { plan } = parseConfig(ScalingConfig, { plan: { p95Ms: 40 } }, "test");
      await decide(create({ plan, cloud: cloudOf({ ...offer, agents: ["s"] }) }));
      expect(requests[0]?.input.slo.p95Ms).toBe(40);
    });

    test("without a single rate in the forecast, the present one overflows", async () => {
      const planned = create({ cloud: cloudOf({ ...offer, max: 9 }) });
      planned.observe(history(200), forecast());
      const decision = await planned.decide(inputs({ liveQps: 0.8 * 3 * 350 + 50 }), sufficient, bounds, candidates());
      expect(decision?.cloud).toEqual([{ id: "spot", units: 1, qps: expect.closeTo(50, 9), by: "none" }]);
    });

    test("demand beyond all that can be switched on overflows, on record", async () => {
      const planned = create({ cloud: cloudOf({ ...offer, max: 9 }, { ...offer, id: "rack", agents: ["s"] }) });
      // Three devices of 350 and one unit of 100, at 80 %.
      const carried = 0.8 * (3 * 350 + 100);
      const decision = await decide(planned, { liveQps: carried + 50 });
      expect(decision?.cloud).toEqual([{ id: "spot", units: 1, qps: expect.closeTo(50, 9), by: "none" }]);
      const enough = await decide(planned, { liveQps: carried });
      expect(enough?.cloud).toEqual([]);
    });
  });
});
