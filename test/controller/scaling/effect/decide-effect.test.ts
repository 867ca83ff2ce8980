import { describe, expect, test } from "bun:test";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { decideEffect, type EffectInputs, expectedPeak, type Order } from "#controller/scaling/effect/decide-effect.ts";
import { explainEffect } from "#controller/scaling/effect/explain-effect.ts";

const madeAtMs = Date.UTC(2026, 10, 30, 18, 30);

const agent = (agentId: string, more: Partial<AgentCandidate> = {}): AgentCandidate => ({
  ...{ agentId, unavailable: null, active: true, capacityQps: 11, overrideRole: null },
  ...{ energyUsdPerRequest: null, wattsPerQps: null, ...more },
});

/** Forty agents that serve, 11 texts/s each, and six on standby; 290 texts/s at 18:40 at the 0.9 quantile. */
const fleet = (more: Partial<EffectInputs> = {}): EffectInputs => ({
  candidates: [
    ...Array.from({ length: 40 }, (_, index) => agent(`a${index}`)),
    ...Array.from({ length: 6 }, (_, index) => agent(`s${index}`, { active: false })),
  ],
  liveQps: 200,
  forecast: {
    ...{ madeAtMs, stepMs: 60_000 },
    qps: Array.from({ length: 15 }, () => 210),
    qps90: Array.from({ length: 15 }, (_, step) => (step === 10 ? 290 : 250)),
  },
  targetUtilization: 0.8,
  frozen: false,
  ...more,
});

const untilMs = Date.UTC(2026, 10, 30, 20, 0);
const drain = (count: number, role: "draining" | "standby" | "active" | null = "draining", share = 1): Order => ({
  kind: "override",
  agents: Array.from({ length: count }, (_, index) => ({ agentId: `a${index}`, role, capacityShare: share })),
  untilMs,
});

test("draining twelve of forty leaves 28, for the forecast peak at its time", () => {
  const effect = decideEffect(drain(12), fleet());
  expect(effect).toMatchObject({
    ...{ named: 12, before: { agents: 40, capacityQps: 440 }, after: { agents: 28, capacityQps: 308 } },
    ...{ spare: { agents: 6, capacityQps: 66 }, verdict: "tight" },
  });
  expect(effect.stops).toHaveLength(12);
  expect(explainEffect(effect)).toBe(
    "Drains 12 of 40 agents that serve until 2026-11-30 20:00 UTC; leaves 28 whose capacity is 308 texts/s for a forecast peak of 290 texts/s (p90) at 18:40 UTC. " +
      "That is more load than planned for. 6 more agents on standby can add 66 texts/s if the controller needs them.",
  );
});

describe("the rest", () => {
  test.each<[string, number, string, string]>([
    ["enough within the target utilisation", 2, "enough", "leaves 38 whose capacity is 418 texts/s"],
    ["too little", 15, "short", "users will wait or be refused"],
    ["nobody", 40, "short", "leaves none for a forecast peak"],
  ])("is %s", (_, count, verdict, text) => {
    const effect = decideEffect(drain(count), fleet());
    expect(effect.verdict).toBe(verdict as typeof effect.verdict);
    expect(explainEffect(effect)).toContain(text);
  });

  test("is nobody at all where none is on standby", () => {
    const alone = fleet({ candidates: [agent("a0")] });
    const effect = decideEffect(drain(1), alone);
    expect(effect.verdict).toBe("none");
    expect(explainEffect(effect)).toContain("Then no agent serves: every request is refused.");
  });

  test("is not judged without any rate", () => {
    const effect = decideEffect(drain(39), fleet({ liveQps: null, forecast: null }));
    expect(effect.verdict).toBe("unknown");
    expect(explainEffect(effect)).toContain("neither the present rate nor a forecast is known");
  });

  test("is for the present rate where that is above the forecast", () => {
    const effect = decideEffect(drain(1), fleet({ liveQps: 600 }));
    expect(effect.verdict).toBe("short");
    expect(explainEffect(effect)).toContain("for 600 texts/s now, more than is forecast");
  });
});

test("a lower power mode takes capacity away without stopping anybody", () => {
  const effect = decideEffect(drain(20, null, 0.5), fleet());
  expect(effect).toMatchObject({ stops: [], after: { agents: 40, capacityQps: 330 } });
  expect(effect.slows).toHaveLength(20);
  expect(explainEffect(effect)).toStartWith("Slows down 20 until");
});

test("agents that are to serve begin to, except those that can't, which are named", () => {
  const candidates = [agent("a0", { active: false }), agent("a1", { active: false, unavailable: "offline" })];
  const effect = decideEffect(drain(2, "active"), fleet({ candidates }));
  expect(effect).toMatchObject({ starts: ["a0"], unable: [{ agentId: "a1", reason: "offline" }] });
  expect(explainEffect(effect)).toContain("a1 (offline) can't serve now.");
});

test("an agent that is drained already changes nothing", () => {
  const candidates = [agent("a0", { active: false, overrideRole: "draining" }), agent("a1")];
  const effect = decideEffect(drain(1), fleet({ candidates }));
  expect(effect).toMatchObject({ starts: [], stops: [], spare: { agents: 0 } });
  expect(explainEffect(effect)).toStartWith("Does not change which agents serve (1 agent)");
});

test("ending overrides leaves roles as they are and gives the agents back to the controller", () => {
  const candidates = [agent("a0", { active: false, overrideRole: "standby" }), agent("a1")];
  const effect = decideEffect({ kind: "end-override", agentIds: ["a0"] }, fleet({ candidates }));
  expect(effect).toMatchObject({ named: 1, after: { agents: 1 }, spare: { agents: 1, capacityQps: 11 } });
  expect(explainEffect(effect)).toStartWith("1 agent keeps its role until the controller's next decision");
});

test("a freeze keeps the controller from using its spare agents", () => {
  const effect = decideEffect({ kind: "freeze", untilMs: null }, fleet());
  expect(effect).toMatchObject({ named: 0, after: { agents: 40 }, spare: { agents: 0 }, verdict: "enough" });
  const text = explainEffect(effect);
  expect(text).toStartWith("Nothing is switched on or off until it is ended, whatever the traffic: 40 whose capacity");
  expect(text).toContain("Lost agents are not replaced");
});

test("while the fleet is frozen an override finds no spare agents, and the freeze's end gives them back", () => {
  const frozen = fleet({ frozen: true });
  expect(decideEffect(drain(1), frozen).spare.agents).toBe(0);
  const end = decideEffect({ kind: "end-freeze" }, frozen);
  expect(end.spare.agents).toBe(6);
  expect(explainEffect(end)).toStartWith("The controller may change roles and power modes again.");
});

describe("the expected peak", () => {
  const path = { madeAtMs, stepMs: 60_000, qps: [1, 5, 2] };
  test.each<[string, Parameters<typeof expectedPeak>[0], ReturnType<typeof expectedPeak>]>([
    ["of no forecast", null, null],
    ["of an empty path", { ...path, qps: [] }, null],
    ["of a median path", path, { qps: 5, atMs: madeAtMs + 60_000, quantile: "median" }],
    ["of quantiles", { ...path, qps90: [1, 5, 9] }, { qps: 9, atMs: madeAtMs + 120_000, quantile: "p90" }],
    [
      "of quantiles of the peak, above those of each step",
      { ...path, qps90: [1, 5, 9], peakQps: { q50: 8, q90: 12, q95: 15 } },
      { qps: 12, atMs: madeAtMs + 120_000, quantile: "p90" },
    ],
    ["of a rate that is no number", { ...path, qps: [Number.POSITIVE_INFINITY] }, null],
  ])("%s is found", (_, forecast, expected) => {
    expect(expectedPeak(forecast)).toEqual(expected);
  });
});

test("a capacity that is no number counts as none", () => {
  const effect = decideEffect(drain(0), fleet({ candidates: [agent("a0", { capacityQps: Number.NaN })] }));
  expect(effect.after.capacityQps).toBe(0);
});
