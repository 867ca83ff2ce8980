import { describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { createDashboard, type DashboardParts } from "#controller/dashboard/create-dashboard.ts";
import { fleetView } from "#controller/dashboard/fleet-view.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { aForecast, aMinute, anAgent } from "../../fakes/builders.ts";

const nowMs = 1_000_000;
const alert = {
  rule: "latency-p95",
  severity: "warning",
  summary: "slow",
  text: "slow for 2 min",
  sinceMs: 1,
  silenced: false,
};
const alertsOf = (count: number, status: string) =>
  Array.from({ length: count }, (_, index) => ({ ...alert, status, key: `${status} ${index}` }));

function setUp(given: Record<string, unknown> = {}) {
  const fleet = createFleet();
  fleet.put(anAgent({ nowMs, minutes: [aMinute({ minuteStartMs: 900_000 })] }));
  const parts = {
    ...{ fleet, fleetName: "hall", startedAtMs: 1, staleAfterMs: 180_000, capacityPerReplicaQps: 100 },
    desired: { documents: new Map(), overrides: new Map() },
    loop: { latest: () => null, latestForecast: () => null, latestCapacities: () => new Map() },
    ledger: { pricesAt: () => ({ tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 1 }) },
    alerts: { monitor: { alerts: () => [], lookedAtMs: () => null } },
    freeze: { current: () => null },
    rollout: { current: () => null },
    ...{ policy: null, broker: { connected: true }, registry: new Registry(), isAllowed: () => true },
    config: { slo: { p95Ms: 500 }, scaling: { maxDataAgeMs: 180_000, intervalMs: 60_000 } },
    nowMs: () => nowMs,
    ...given,
  };
  const { watch } = createDashboard(parts as unknown as DashboardParts);
  return fleetView({ watch, capacityPerReplicaQps: 100 });
}

describe("the overview of a controller", () => {
  test("of one that stands by says who leads, and what it does not know", () => {
    const view = setUp({ leader: () => "http://other:7070" });
    expect(view.controller).toMatchObject({ role: "standing by", leader: "http://other:7070" });
    expect(view.figures.textsPerS.value).toBe(10);
    for (const name of ["needed", "forecastPeakTextsPerS", "alertsFiring"] as const)
      expect(view.figures[name].value).toBeNull();
  });

  test("of one that leads knows no other", () => {
    expect(setUp().controller).toMatchObject({ role: "leading", leader: null });
  });

  test("without its broker everything of the agents is stale", () => {
    const { figures } = setUp({ broker: { connected: false } });
    for (const name of ["serving", "textsPerS", "watts", "usdPerHour"] as const)
      expect({ name, stale: figures[name].stale }).toEqual({ name, stale: true });
  });

  test("has the forecast, the decision and its plan, whose reasons are cut", () => {
    const plan = { devices: 3, feasible: true, costUsd: 0.5, reasons: Array.from({ length: 12 }, (_, at) => `${at}`) };
    const decision = { kind: "hold", rule: "plan", reason: "as planned", figures: { need: 3 }, plan };
    const forecast = aForecast(12, { madeAtMs: nowMs, peakQps: { q50: 13, q90: 15, q95: 16 } });
    const view = setUp({
      loop: {
        latest: () => ({ atMs: nowMs, decision }),
        latestForecast: () => forecast,
        latestCapacities: () => new Map(),
      },
    });
    expect(view.latestDecision).toMatchObject({ atMs: nowMs, kind: "hold", rule: "plan", reason: "as planned" });
    expect(view.latestDecision?.plan).toMatchObject({ devices: 3, feasible: true });
    expect(view.latestDecision?.plan?.reasons.length).toBe(10);
    expect(view.figures.needed.value).toBe(3);
    expect(view.figures.forecastPeakTextsPerS.value).toBe(13);
    expect(view.figures.forecastPeak95TextsPerS.value).toBe(16);
  });

  test("lists twenty alerts that are on, and counts all that fire", () => {
    const all = [...alertsOf(25, "firing"), ...alertsOf(3, "resolved")];
    const view = setUp({ alerts: { monitor: { alerts: () => all, lookedAtMs: () => nowMs } } });
    expect(view.alerts.length).toBe(20);
    expect(view.figures.alertsFiring).toMatchObject({ value: 25, asOfMs: nowMs });
    const few = setUp({ alerts: { monitor: { alerts: () => alertsOf(3, "resolved"), lookedAtMs: () => nowMs } } });
    expect(few.alerts).toEqual([]);
    expect(few.figures.alertsFiring.value).toBe(0);
  });

  test("counts on what the controller measured of an agent, else on its profile, else on the usual", () => {
    const capacities = new Map([["thor-1", { qps: 240, profileQps: 350, measuredQps: 240, confidence: 1 }]]);
    const loop = { latest: () => null, latestForecast: () => null, latestCapacities: () => capacities };
    expect(setUp({ loop }).figures.capacityTextsPerS).toMatchObject({ value: 240, note: null });
    expect(setUp().figures.capacityTextsPerS.value).toBe(350);
    const bare = createFleet();
    bare.put(anAgent({ nowMs, birth: null, minutes: [aMinute({ minuteStartMs: 900_000 })] }));
    expect(setUp({ fleet: bare }).figures.capacityTextsPerS).toMatchObject({
      value: 100,
      note: "assumed of 1 of 1 agent",
    });
  });
});
