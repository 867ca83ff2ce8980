import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { registerAgentMetrics } from "#agent/agent-metrics.ts";
import { parseMetrics } from "#tools/verify/parse-metrics.ts";
import { aForecast } from "../fakes/builders.ts";
import { lintMetrics } from "./serving/lint-metrics.ts";

test("an agent that has forecast, measured and lost something keeps Prometheus' rules for metrics", async () => {
  const registry = new Registry();
  registerAgentMetrics(registry, {
    brokerConnected: () => true,
    outboxRecords: () => 1,
    storage: () => ({
      failing: null,
      waiting: { records: 0, bytes: 0 },
      lost: { "outbox-full": 1, "too-old": 0, "memory-full": 0, unreadable: 0, unsendable: 0, refused: 0 },
    }),
    refusedMessages: () => 1,
    refusedOrders: () => new Map([["expired", 1]]),
    lastForecast: () => aForecast(10, { peakQps: { q50: 10, q90: 12, q95: 13 }, shares: { last: 1 } }),
    active: () => true,
    hungProcesses: () => new Map([["model", 1]]),
    utilization: () => ({ cpu: 0.1, gpu: 0.2, memory: 0.3, processCpu: 0.1, processMemory: 0.1 }),
    capacity: () => [
      { model: 'a"b\\\n', modeName: null, qps: 10, tokensPerText: 8, confidence: 0.5, source: "probe" } as const,
    ],
  });
  const families = parseMetrics(await registry.metrics());
  expect(lintMetrics(families)).toEqual([]);
  const peaks = families.get("thormesh_forecast_peak_quantile_qps")?.samples;
  expect(peaks?.map(({ labels, value }) => [labels["level"], value])).toEqual([
    ["0.5", 10],
    ["0.9", 12],
    ["0.95", 13],
  ]);
});
