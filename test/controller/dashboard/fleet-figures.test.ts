import { describe, expect, test } from "bun:test";
import { conditionOf, readFacts } from "#controller/dashboard/agent-facts.ts";
import { figureUnits } from "#controller/dashboard/figure.ts";
import { type CountedAgent, fleetFigures, sumUp } from "#controller/dashboard/fleet-figures.ts";
import { recentLatencyMs } from "#controller/fleet/agent-state.ts";
import { aDesired, aForecast, aMinute, aModel, anAgent, aTraffic } from "../../fakes/builders.ts";
import { someSources } from "../../fakes/fleet-figures.ts";

const nowMs = 1_000_000;
const minuteStartMs = 900_000;
const prices = { tariffUsdPerKwh: 0.25, amortisationUsdPerHour: 0.5 };

function counted(
  agentId: string,
  minute: Parameters<typeof aMinute>[0] | null = {},
  condition: CountedAgent["condition"] = "serving",
  capacity: number | null = 200,
): CountedAgent {
  const minutes = minute === null ? [] : [aMinute({ agentId, minuteStartMs, ...minute })];
  return { condition, facts: readFacts(anAgent({ agentId, nowMs, minutes }), prices, capacity) };
}

const fleet = (agents: readonly CountedAgent[], given = {}) =>
  fleetFigures(sumUp(agents), someSources({ nowMs, ...given }));

describe("the fleet's figures", () => {
  test("have the unit of their name, all of them", () => {
    const figures = fleet([counted("a")]);
    expect(Object.keys(figures).sort()).toEqual(Object.keys(figureUnits).sort());
    for (const [name, { unit }] of Object.entries(figures))
      expect(unit).toBe(figureUnits[name as keyof typeof figures]);
  });

  test("add up over the agents that are online", () => {
    const figures = fleet([
      counted("a", { requests: 600 }),
      counted("b", { requests: 1200 }, "standby"),
      counted("c", { requests: 60_000 }, "offline"),
      counted("d", { requests: 300 }, "draining"),
    ]);
    expect(figures.serving.value).toBe(1);
    expect(figures.standby.value).toBe(1);
    expect(figures.draining.value).toBe(1);
    expect(figures.offline.value).toBe(1);
    expect(figures.textsPerS.value).toBe(35);
    expect(figures.requestsPerS.value).toBe(35);
    expect(figures.watts.value).toBe(90);
    // 30 W at 0.25 US$/kWh, and the device: of each of three.
    expect(figures.usdPerHour.value).toBeCloseTo(3 * (0.03 * 0.25 + 0.5), 9);
    expect(figures.capacityTextsPerS).toMatchObject({ value: 200, note: null });
    expect(figures.maxTemperatureC.value).toBe(50);
    expect(figures.textsPerS).toMatchObject({ asOfMs: minuteStartMs + 60_000, stale: false });
  });

  test("are unknown, not 0, where nothing is known", () => {
    const { serving, standby, draining, offline, p95TargetMs, ...rest } = fleet([]);
    expect([serving, standby, draining, offline].map(({ value }) => value)).toEqual([0, 0, 0, 0]);
    expect(p95TargetMs.value).toBe(1000);
    for (const [name, { value, asOfMs, stale }] of Object.entries(rest))
      expect({ name, value, asOfMs, stale }).toEqual({ name, value: null, asOfMs: null, stale: false });
    const silent = fleet([counted("a", null)]);
    for (const name of ["textsPerS", "watts", "usdPerHour", "p95Ms", "refusedQueuePerS", "maxTemperatureC"] as const)
      expect(silent[name].value).toBeNull();
  });

  test("are 0 where an agent said that there was nothing", () => {
    const figures = fleet([counted("a", { traffic: aTraffic({ minuteStartMs }) })]);
    expect(figures.textsPerS.value).toBe(0);
    expect(figures.refusedQueuePerS.value).toBe(0);
    expect(figures.p95Ms.value).toBeNull();
  });

  test("say what they lack", () => {
    const figures = fleet([counted("a"), counted("b", { power: null }), counted("c", null, "serving", null)]);
    expect(figures.watts.note).toBe("power of 1 of 3 agents");
    expect(figures.usdPerHour.note).toBe("without the energy of 1 agent, which is not measured");
    expect(figures.textsPerS.note).toBe("texts of 2 of 3 agents");
    const known = fleet([counted("a"), { condition: "serving", facts: { ...counted("b").facts, capacityPerS: null } }]);
    expect(known.capacityTextsPerS).toMatchObject({ value: 300, note: "assumed of 1 of 2 agents" });
  });

  test("refusals are told apart by cause", () => {
    const refused = [
      { cause: "queue" as const, requests: 60, texts: 60, tokens: 0 },
      { cause: "error" as const, requests: 6, texts: 6, tokens: 0 },
      { cause: "rate-limit" as const, requests: 30, texts: 30, tokens: 0 },
    ];
    const figures = fleet([
      counted("a", { traffic: aTraffic({ minuteStartMs, models: [{ ...aModel("mini", 60), refused }] }) }),
    ]);
    expect(figures.refusedQueuePerS.value).toBe(1);
    expect(figures.refusedErrorPerS.value).toBeCloseTo(0.1, 9);
    expect(figures.refusedRateLimitPerS.value).toBe(0.5);
    expect(figures.refusedDeadlinePerS.value).toBe(0);
  });

  test("the 95th percentile is that of all requests of the newest minutes together", () => {
    const agents = ["a", "b"].map((agentId, index) =>
      anAgent({ agentId, nowMs, minutes: [aMinute({ agentId, minuteStartMs, requests: 100 * (index + 1) })] }),
    );
    const figures = fleet(agents.map((agent) => ({ condition: "serving", facts: readFacts(agent, prices, null) })));
    expect(figures.p95Ms.value).toBe(recentLatencyMs(agents, 0.95));
  });

  test.each([
    ["a minute ago", { nowMs: minuteStartMs + 120_000 }, false],
    ["at the limit", { nowMs: minuteStartMs + 60_000 + 180_000 }, false],
    ["beyond it", { nowMs: minuteStartMs + 60_000 + 180_001 }, true],
    ["the broker is away", { brokerConnected: false }, true],
  ])("figures of minutes that ended %s: stale %p", (_, given, stale) => {
    expect(fleet([counted("a")], given).textsPerS.stale).toBe(stale);
  });

  test("forecast, need and alerts have times of their own", () => {
    const forecast = aForecast(10, { madeAtMs: nowMs - 200_000, peakQps: { q50: 11, q90: 13, q95: 14 } });
    const figures = fleet([], {
      ...{ forecast, peakTextsPerS: 11 },
      decision: { atMs: nowMs - 1_000, needed: 3 },
      alerts: { atMs: nowMs - 10, firing: 2 },
    });
    expect(figures.forecastPeakTextsPerS).toMatchObject({ value: 11, asOfMs: nowMs - 200_000, stale: true });
    expect(figures.forecastPeak95TextsPerS.value).toBe(14);
    expect(figures.needed).toMatchObject({ value: 3, stale: false });
    expect(figures.alertsFiring).toMatchObject({ value: 2, stale: false });
  });

  test("an agent whose clock is two hours off counts with the time of the controller's clock", () => {
    const agent = anAgent({ nowMs, minutes: [aMinute({ minuteStartMs: minuteStartMs - 7_200_000 })] });
    const skewed = { ...agent, clock: { last: { atMs: nowMs, offsetMs: -7_200_000 }, skewMs: -7_200_000 } };
    const { textsPerS } = fleet([{ condition: "serving", facts: readFacts(skewed, prices, null) }]);
    expect(textsPerS).toMatchObject({ value: 10, asOfMs: minuteStartMs + 60_000, stale: false });
  });
});

test.each([
  ["it said so", { presence: { role: "standby" as const } }, undefined, "standby"],
  ["of what it is told only where it has not spoken", { reported: { role: "active" as const } }, "standby", "serving"],
  ["draining", { presence: { role: "draining" as const } }, undefined, "draining"],
  ["it left", { presence: { status: "offline" as const } }, "active", "offline"],
  ["it never came", { presence: null }, "active", "offline"],
])("the condition of an agent: %s", (_, said, role, expected) => {
  const desired = role === undefined ? undefined : aDesired({ role: role as "active" });
  expect(conditionOf(anAgent({ nowMs, ...said }), desired, nowMs, 180_000)).toBe(expected as "serving");
});

test("an agent that is silent for too long is offline", () => {
  expect(conditionOf(anAgent({ nowMs }), undefined, nowMs + 180_000, 180_000)).toBe("serving");
  expect(conditionOf(anAgent({ nowMs }), undefined, nowMs + 180_001, 180_000)).toBe("offline");
});
