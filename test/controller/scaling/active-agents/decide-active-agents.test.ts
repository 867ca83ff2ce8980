import { describe, expect, test } from "bun:test";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import type { AgentCandidate, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const nowMs = 10_000_000;
const defaults = parseConfig(ScalingConfig, {}, "test");

/** "a+ b- c!": active, standby, active but offline; "=" and a number: its capacity, "$" and a number: its watts per qps. */
function fleetOf(text: string, given: Record<string, Partial<AgentCandidate>> = {}): AgentCandidate[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [, agentId = "", sign, capacity, watts] = /^(\w+)([+\-!?])(?:=([\d.]+))?(?:\$([\d.]+))?$/.exec(word) ?? [];
      const wattsPerQps = watts === undefined ? null : Number(watts);
      return {
        agentId,
        unavailable: sign === "!" || sign === "?" ? "offline" : null,
        active: sign === "+" || sign === "!",
        capacityQps: capacity === undefined ? 350 : Number(capacity),
        wattsPerQps,
        energyUsdPerRequest: wattsPerQps === null ? null : (wattsPerQps / 3.6e6) * 0.15,
        overrideRole: null,
        ...given[agentId],
      };
    });
}

function decide(
  fleet: string,
  peak: number | null,
  given: Partial<ScalingInputs> & {
    policy?: Partial<ScalingConfig>;
    agents?: Record<string, Partial<AgentCandidate>>;
  } = {},
) {
  const { policy, agents, ...inputs } = given;
  return decideActiveAgents(
    {
      warmUpEndsMs: 0,
      observedSinceMs: 0,
      liveQps: peak,
      forecastPeakQps: peak,
      missingData: [],
      recentPeaks: [],
      candidates: fleetOf(fleet, agents),
      ...inputs,
    },
    { ...defaults, ...policy },
    nowMs,
  );
}

describe("decideActiveAgents", () => {
  test.each([
    // What users feel
    {
      name: "users are refused: no tolerance",
      fleet: "a+ b+ c+ d+ e+ f-",
      peak: 10,
      slo: { rule: "refused", demandQps: 1500, starting: [] },
      kind: "scale-out",
      rule: "slo-missed",
      on: ["f"],
    },
    {
      name: "users wait, and nothing more can be switched on",
      fleet: "a+ b+",
      peak: 10,
      slo: { rule: "slow", demandQps: 700, starting: [] },
      kind: "hold",
      rule: "overloaded",
    },
    {
      name: "users are refused, everything is on and believed to be enough: overloaded all the same",
      fleet: "a+ b+",
      peak: 10,
      slo: { rule: "refused", demandQps: 20, starting: [] },
      kind: "hold",
      rule: "overloaded",
    },
    {
      name: "the last one has been told and does not serve yet",
      fleet: "a+ b+",
      peak: 10,
      slo: { rule: "refused", demandQps: 20, starting: ["b"] },
      kind: "hold",
      rule: "slo-missed",
    },
    {
      name: "none leaves while users are refused",
      fleet: "a+ b+ c+ d+",
      peak: 10,
      slo: { rule: "refused", demandQps: 20, starting: [] },
      policy: { maxReplicas: 10 },
      kind: "hold",
      rule: "overloaded",
    },
    {
      name: "none leaves while requests fail, which more capacity would not help",
      fleet: "a+ b+ c+ d-",
      peak: 10,
      slo: { rule: "failed", demandQps: 20, starting: [] },
      kind: "hold",
      rule: "slo-missed",
    },
    {
      name: "the maximum holds while users are refused",
      fleet: "a+ b+ c-",
      peak: 10,
      slo: { rule: "refused", demandQps: 5000, starting: [] },
      policy: { minReplicas: 1, maxReplicas: 2 },
      kind: "hold",
      rule: "overloaded",
    },
    {
      name: "at most twice as many for refusals, too",
      fleet: "a+ b- c- d-",
      peak: 10,
      slo: { rule: "refused", demandQps: 5000, starting: [] },
      policy: { minReplicas: 1 },
      kind: "scale-out",
      rule: "slo-missed",
      on: ["b"],
    },
    {
      name: "users got what they were promised: its rate counts like any other",
      fleet: "a+ b+ c-",
      peak: 10,
      slo: { rule: "kept", demandQps: 812, starting: [] },
      kind: "scale-out",
      rule: "peak",
      on: ["c"],
    },
    // Out
    { name: "a peak that three carry", fleet: "a+ b+ c- d-", peak: 812, kind: "scale-out", rule: "peak", on: ["c"] },
    { name: "below the minimum", fleet: "a+ b- c-", peak: 10, kind: "scale-out", rule: "below-minimum", on: ["b"] },
    { name: "nobody active", fleet: "a- b- c-", peak: 10, kind: "scale-out", rule: "below-minimum", on: ["a", "b"] },
    { name: "no figures, nobody active", fleet: "a- b-", peak: null, kind: "scale-out", on: ["a", "b"] },
    { name: "NaN counts as no figure", fleet: "a- b-", peak: Number.NaN, kind: "scale-out", on: ["a", "b"] },
    { name: "at most twice as many", fleet: "a+ b+ c- d- e- f-", peak: 5000, kind: "scale-out", on: ["c", "d"] },
    { name: "the maximum", fleet: "a+ b+ c- d-", peak: 5000, policy: { maxReplicas: 3 }, kind: "scale-out", on: ["c"] },
    {
      name: "the cheapest joins, unknown efficiency last",
      fleet: "a+ b+ c-$0.5 d- e-$0.3",
      peak: 812,
      kind: "scale-out",
      on: ["e"],
    },
    {
      name: "small boards: the count would do, the capacity does not",
      fleet: "a+=100 b+=100 c-=100 d-=100",
      peak: 250,
      kind: "scale-out",
      rule: "peak",
      on: ["c", "d"],
    },
    { name: "offline ones are not chosen", fleet: "a+ b+ c? d-", peak: 812, kind: "scale-out", on: ["d"] },
    {
      name: "an active one that is gone is replaced at once",
      fleet: "a+ b! c-",
      peak: 10,
      kind: "scale-out",
      rule: "replacement",
      on: ["c"],
      off: ["b"],
    },
    {
      name: "a replacement carries the window's peak",
      fleet: "a+ b+ c! d-",
      peak: 10,
      recentPeaks: [{ atMs: nowMs - 60_000, peakQps: 800 }],
      kind: "scale-out",
      rule: "replacement",
      on: ["d"],
      off: ["c"],
    },
    {
      name: "everything on is not enough",
      fleet: "a+ b+ c-",
      peak: 5000,
      kind: "scale-out",
      rule: "overloaded",
      on: ["c"],
    },
    {
      name: "an operator wants it active",
      fleet: "a+ b+ c-",
      peak: 10,
      agents: { c: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["c"],
    },
    {
      name: "an operator's standby is not chosen",
      fleet: "a+ b+ c- d-",
      peak: 812,
      agents: { c: { overrideRole: "standby" } },
      kind: "scale-out",
      on: ["d"],
    },
    {
      name: "a peak, not what the window needed",
      fleet: "a+ b+ c- d- e-",
      peak: 800,
      recentPeaks: [{ atMs: nowMs, peakQps: 1100 }],
      kind: "scale-out",
      rule: "peak",
      on: ["c"],
    },
    {
      name: "as many as were lost and were needed in the window",
      fleet: "a+=400 b!=400 c!=400 d-=400 e-=400",
      peak: 10,
      recentPeaks: [{ atMs: nowMs, peakQps: 800 }],
      kind: "scale-out",
      rule: "replacement",
      on: ["d", "e"],
      off: ["b", "c"],
    },
    {
      name: "no more than were lost, whatever the window needed",
      fleet: "a+=2000 b!=2000 c-=2000 d-=2000",
      peak: 10,
      recentPeaks: [{ atMs: nowMs, peakQps: 1100 }],
      kind: "scale-out",
      rule: "replacement",
      on: ["c"],
      off: ["b"],
    },
    {
      name: "an operator's agent; a lost one that is not missed stays as it is",
      fleet: "a+ b+ c! d-",
      peak: 10,
      agents: { d: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["d"],
      off: [],
    },
    {
      name: "an operator's agent for another's",
      fleet: "a+ b+ c+ d-",
      peak: 10,
      agents: { c: { overrideRole: "draining" }, d: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["d"],
      off: ["c"],
    },
    {
      name: "boards without capacity are not overloaded without traffic",
      fleet: "a-=0 b-=0",
      peak: null,
      kind: "scale-out",
      rule: "below-minimum",
      on: ["a", "b"],
    },
    {
      name: "half as many more, rounded down",
      fleet: "a+ b+ c+ d- e- f-",
      peak: 5000,
      policy: { maxScaleUpFactor: 1.5 },
      kind: "scale-out",
      rule: "peak",
      on: ["d"],
    },
    {
      name: "the minimum, beyond twice as many",
      fleet: "a+ b- c- d-",
      peak: 10,
      policy: { minReplicas: 4 },
      kind: "scale-out",
      rule: "below-minimum",
      on: ["b", "c", "d"],
    },
    { name: "a peak beyond the minimum", fleet: "a+ b- c- d-", peak: 800, kind: "scale-out", rule: "peak", on: ["b"] },
    {
      name: "large boards carry it, though as many of the usual capacity would not",
      fleet: "a+=1000 b+=1000 c-=1000",
      peak: 812,
      kind: "hold",
      rule: "sufficient",
    },
    {
      name: "a replacement for the capacity that the window needed, though the count would do",
      fleet: "a+=100 b+=100 c!=100 d-=100",
      peak: 10,
      recentPeaks: [{ atMs: nowMs, peakQps: 200 }],
      kind: "scale-out",
      rule: "replacement",
      on: ["d"],
      off: ["c"],
    },
    {
      name: "an operator's agent, where the rest just carries what a lost one did",
      fleet: "a+ b+ c! d-",
      peak: 840,
      agents: { d: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["d"],
    },
    {
      name: "an operator's agent, where the peak is just at the tolerance",
      fleet: "a+=100 b+=100 d-=100",
      peak: 240,
      policy: { tolerance: 0 },
      agents: { d: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["d"],
    },
    {
      name: "an operator's agent at the minimum",
      fleet: "a+ b+ c-",
      peak: 10,
      policy: { minReplicas: 3 },
      agents: { c: { overrideRole: "active" } },
      kind: "scale-out",
      rule: "override",
      on: ["c"],
    },
    {
      name: "one more, though the peak is hardly beyond what one carries",
      fleet: "a+ b-",
      peak: 300,
      policy: { minReplicas: 1 },
      kind: "scale-out",
      on: ["b"],
    },
    {
      name: "a large board for two small ones that would do by number",
      fleet: "a+=100 b+=100 c-=1000",
      peak: 250,
      kind: "scale-out",
      rule: "peak",
      on: ["c"],
    },
    {
      name: "a large board for a lost one, where the small ones would do by number",
      fleet: "a+=100 b+=100 c!=100 d-=1000",
      peak: 10,
      recentPeaks: [{ atMs: nowMs, peakQps: 200 }],
      kind: "scale-out",
      rule: "replacement",
      on: ["d"],
      off: ["c"],
    },
    {
      name: "as many standbys as there are replacements",
      fleet: "a+ b! c! d-",
      peak: 10,
      kind: "scale-out",
      rule: "replacement",
      on: ["d"],
      off: ["b"],
    },
    // In
    { name: "little traffic", fleet: "a+ b+ c+ d+", peak: 10, kind: "scale-in", rule: "peak", off: ["d", "c"] },
    { name: "no traffic", fleet: "a+ b+ c+", peak: 0, kind: "scale-in", off: ["c"] },
    { name: "the dearest leaves", fleet: "a+$0.9 b+$0.2 c+$0.4", peak: 10, kind: "scale-in", off: ["a"] },
    {
      name: "a large one stays when the rest would not carry the peak",
      fleet: "a+=1000$0.9 b+=100$0.2 c+=100$0.3",
      peak: 400,
      kind: "scale-in",
      off: ["c"],
    },
    {
      name: "an operator's active one stays",
      fleet: "a+ b+ c+",
      peak: 10,
      agents: { c: { overrideRole: "active" } },
      kind: "scale-in",
      off: ["b"],
    },
    {
      name: "an operator's standby leaves",
      fleet: "a+ b+ c+",
      peak: 812,
      agents: { c: { overrideRole: "standby" } },
      kind: "scale-in",
      rule: "override",
      off: ["c"],
    },
    {
      name: "more than the maximum",
      fleet: "a+ b+ c+",
      peak: 800,
      policy: { maxReplicas: 2 },
      kind: "scale-in",
      off: ["c"],
    },
    {
      name: "boards without capacity beyond the maximum",
      fleet: "a+=0 b+=0 c+=0",
      peak: 0,
      policy: { maxReplicas: 2 },
      kind: "scale-in",
      off: ["c"],
    },
    {
      name: "what was held off until now",
      fleet: "a+ b+ c+",
      peak: 10,
      heldUntilMs: nowMs,
      kind: "scale-in",
      off: ["c"],
    },
    // Hold
    { name: "no agents", fleet: "", peak: 100, kind: "hold", rule: "no-agents" },
    { name: "all offline", fleet: "a! b!", peak: 100, kind: "hold", rule: "no-agents" },
    { name: "one agent, alone", fleet: "a+", peak: 100, kind: "hold", rule: "sufficient" },
    { name: "one agent, too much", fleet: "a+", peak: 400, kind: "hold", rule: "overloaded" },
    { name: "no figures at all", fleet: "a+ b+", peak: null, kind: "hold", rule: "no-data" },
    { name: "a negative rate is no figure", fleet: "a+ b+", peak: -5, kind: "hold", rule: "no-data" },
    { name: "half a query below nothing is none either", fleet: "a+ b+", peak: -0.5, kind: "hold", rule: "no-data" },
    {
      name: "lost where none is needed",
      fleet: "a! b-",
      peak: 0,
      policy: { minReplicas: 0 },
      kind: "hold",
      rule: "sufficient",
    },
    {
      name: "boards without capacity, no figures, one lost",
      fleet: "a+=0 b!=0 c-=0",
      peak: null,
      policy: { minReplicas: 1 },
      kind: "hold",
      rule: "no-data",
    },
    { name: "all on, and exactly enough", fleet: "a+ b+", peak: 560, kind: "hold", rule: "sufficient" },
    {
      name: "20 % less with as many as there may be",
      fleet: "a+ b+ c+ d+ e+",
      peak: 1000,
      policy: { maxReplicas: 5 },
      kind: "hold",
      rule: "within-tolerance",
    },
    {
      name: "an infinite rate is no figure",
      fleet: "a+ b+",
      peak: Number.POSITIVE_INFINITY,
      kind: "hold",
      rule: "no-data",
    },
    { name: "exactly enough", fleet: "a+ b+ c-", peak: 560, kind: "hold", rule: "sufficient" },
    {
      name: "20 % more is within the tolerance",
      fleet: "a+ b+ c+ d+ e+ f-",
      peak: 1600,
      kind: "hold",
      rule: "within-tolerance",
    },
    { name: "20 % less as well", fleet: "a+ b+ c+ d+ e+", peak: 1000, kind: "hold", rule: "within-tolerance" },
    { name: "everything is on and too little", fleet: "a+ b+", peak: 5000, kind: "hold", rule: "overloaded" },
    { name: "warming up", fleet: "a- b-", peak: 5000, warmUpEndsMs: nowMs + 1, kind: "hold", rule: "warming-up" },
    {
      name: "silent agents are no fall in traffic",
      fleet: "a+ b+ c+",
      peak: 10,
      missingData: ["c"],
      kind: "hold",
      rule: "missing-data",
    },
    {
      name: "no forecast: not down",
      fleet: "a+ b+ c+",
      peak: 10,
      forecastPeakQps: null,
      kind: "hold",
      rule: "missing-data",
    },
    {
      name: "a need within the window",
      fleet: "a+ b+ c+",
      peak: 10,
      recentPeaks: [{ atMs: nowMs - 599_000, peakQps: 800 }],
      kind: "hold",
      rule: "stabilising",
    },
    {
      name: "the window has not been watched yet",
      fleet: "a+ b+ c+",
      peak: 10,
      observedSinceMs: nowMs - 599_000,
      kind: "hold",
      rule: "stabilising",
    },
    {
      name: "small boards: all are needed, though as many of the usual capacity would not be",
      fleet: "a+=200 b+=200 c+=200",
      peak: 450,
      kind: "hold",
      rule: "sufficient",
    },
    {
      name: "none can be missed, as operators want them all",
      fleet: "a+ b+ c+",
      peak: 10,
      agents: { a: { overrideRole: "active" }, b: { overrideRole: "active" }, c: { overrideRole: "active" } },
      kind: "hold",
      rule: "capacity",
    },
    { name: "lost, with nobody to replace it", fleet: "a+ b!", peak: 10, kind: "hold", rule: "sufficient" },
    { name: "lost, and not missed", fleet: "a+ b+ c! d-", peak: 10, kind: "hold", rule: "sufficient" },
    { name: "lost, and the rest just carries it", fleet: "a+ b+ c! d-", peak: 560, kind: "hold", rule: "sufficient" },
    {
      name: "none at all, where there may be none",
      fleet: "a- b-",
      peak: 0,
      policy: { minReplicas: 0 },
      kind: "hold",
      rule: "sufficient",
    },
    {
      name: "a board without capacity, and no traffic",
      fleet: "a+=0 b-",
      peak: 0,
      policy: { minReplicas: 1 },
      kind: "hold",
      rule: "sufficient",
    },
    {
      name: "a little too much for small boards",
      fleet: "a+=300 b+=300 c+=300 d+=300 e+=300 f+=300 g-",
      peak: 1500,
      kind: "hold",
      rule: "within-tolerance",
    },
    {
      name: "fewer large boards than boards of the usual capacity",
      fleet: "a+=1000 b+=1000 c+=1000 d+=1000 e+=1000 f-",
      peak: 1500,
      kind: "scale-in",
      rule: "peak",
      off: ["e", "d", "c"],
    },
    {
      name: "the window ends now",
      fleet: "a+ b+ c+",
      peak: 10,
      observedSinceMs: nowMs - 600_000,
      kind: "scale-in",
      off: ["c"],
    },
    {
      name: "a peak at the very start of the window",
      fleet: "a+ b+ c+",
      peak: 10,
      recentPeaks: [{ atMs: nowMs - 600_000, peakQps: 800 }],
      kind: "hold",
      rule: "stabilising",
    },
    {
      name: "a peak that lies ahead is of a clock that was set back",
      fleet: "a+ b+ c+",
      peak: 10,
      recentPeaks: [{ atMs: nowMs + 1, peakQps: 800 }],
      kind: "scale-in",
      off: ["c"],
    },
    { name: "the warm-up ends now", fleet: "a- b-", peak: 10, warmUpEndsMs: nowMs, kind: "scale-out", on: ["a", "b"] },
  ])("$name: $kind", (row) => {
    const {
      fleet,
      peak,
      kind,
      rule,
      on,
      off,
      name: _name,
      ...given
    } = row as typeof row & {
      rule?: string;
      on?: string[];
      off?: string[];
    };
    const decision = decide(fleet, peak, given as Partial<ScalingInputs>);
    expect(decision.kind as string).toBe(kind);
    if (rule !== undefined) expect(decision.rule as string).toBe(rule);
    if (decision.kind === "hold") return;
    expect([...decision.activate] as string[]).toEqual(on ?? []);
    expect([...decision.standBy]).toEqual(off ?? []);
  });

  test("a peak older than the window is forgotten", () => {
    const recentPeaks = [{ atMs: nowMs - 601_000, peakQps: 5000 }];
    expect(decide("a+ b+ c+", 10, { recentPeaks }).kind).toBe("scale-in");
  });

  test("the live rate guards against a forecast that is too low, and the other way round", () => {
    expect(decide("a+ b+ c-", null, { liveQps: 812, forecastPeakQps: 10 }).kind).toBe("scale-out");
    expect(decide("a+ b+ c-", null, { liveQps: 10, forecastPeakQps: 812 }).kind).toBe("scale-out");
  });

  test.each([
    ["a step that stops at twice as many", "a+ b+ c- d- e- f-", 5000, { stepLimit: 4, overloadedAtQps: null }],
    ["everything on, and too little", "a+ b+ c-", 5000, { stepLimit: null, overloadedAtQps: 840 }],
    ["fewer than the minimum", "a+ b- c-", 10, { belowMinimum: true, replaced: [] }],
    ["one that is lost", "a+ b! c-", 10, { replaced: ["b"], belowMinimum: true, stepLimit: null }],
  ])("its circumstances are told: %s", (_name, fleet, peak, cause) => {
    expect(decide(fleet, peak)).toMatchObject({ kind: "scale-out", cause });
  });

  test("an agent that is lost and not missed is not told as replaced", () => {
    const decision = decide("a+ b+ c! d-", 10, { agents: { d: { overrideRole: "active" } } });
    expect(decision).toMatchObject({ rule: "override", cause: { replaced: [], belowMinimum: false } });
  });

  test("the figures go with the decision", () => {
    expect(decide("a+ b+ c-", 812, { recentPeaks: [{ atMs: nowMs, peakQps: 900 }] }).figures).toEqual({
      peakQps: 812,
      windowPeakQps: 900,
      need: 3,
      windowNeed: 3,
      activeCount: 2,
      availableCount: 3,
      carriedQps: 560,
    });
  });
});
