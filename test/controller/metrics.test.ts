import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { createControllerMetrics } from "#controller/metrics.ts";
import { aMinute } from "../fakes/builders.ts";

const nothing = {
  ...{ agentCounts: () => ({ active: 0, standby: 0, draining: 0, offline: 0 }), liveQps: () => null },
  ...{ forecastPeakQps: () => null, brokerConnected: () => true, unreadableRows: () => [], storeBytes: () => 0 },
  storeUsable: () => true,
};
const prices = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 };

test("a thousand agents have series of their own, later ones are counted together, and nothing is left out", async () => {
  const registry = new Registry();
  const metrics = createControllerMetrics(registry, nothing);
  const idOf = (index: number) => `thor-${index}`;
  for (let index = 0; index < 1_200; index += 1) metrics.minute(aMinute({ agentId: idOf(index) }), prices);
  const figureOf = async (name: string, agent: string) =>
    Number(
      new RegExp(`^${name}\\{[^}]*="${RegExp.escape(agent)}"[^}]*\\} (\\S+)`, "m").exec(await registry.metrics())?.[1],
    );
  expect(await figureOf("akidb_cost_requests_total", idOf(999))).toBe(600);
  expect(await figureOf("akidb_cost_requests_total", idOf(1_000))).toBeNaN();
  expect(await figureOf("akidb_cost_requests_total", "(other)")).toBe(200 * 600);
  expect(await figureOf("akidb_cost_energy_kwh_total", "(other)")).toBeCloseTo((200 * 1800) / 3.6e6);
  expect(await figureOf("node_total_hourly_cost", idOf(999))).toBeCloseTo(0.1 + 0.2 * 0.03);
  expect(await figureOf("node_total_hourly_cost", "(other)")).toBeNaN();
  // One that leaves makes room; one of the others takes nothing with it.
  metrics.forget(idOf(1_100));
  metrics.forget(idOf(0));
  metrics.minute(aMinute({ agentId: "new" }), prices);
  expect(await figureOf("akidb_cost_requests_total", "(other)")).toBe(200 * 600);
  expect(await figureOf("akidb_cost_requests_total", idOf(0))).toBeNaN();
  expect(await figureOf("akidb_cost_requests_total", "new")).toBe(600);
});

test("rounds of deciding are told with their time, regular and urgent ones apart", async () => {
  const registry = new Registry();
  const metrics = createControllerMetrics(registry, nothing);
  metrics.round(300, false);
  metrics.round(20, true);
  const text = await registry.metrics();
  expect(text).toContain('thormesh_decision_seconds_bucket{le="0.25",urgent="false"} 0');
  expect(text).toContain('thormesh_decision_seconds_bucket{le="0.5",urgent="false"} 1');
  expect(text).toContain('thormesh_decision_seconds_sum{urgent="true"} 0.02');
});
