import { expect, test } from "bun:test";
import { healthMessage, modelMessage } from "#agent/serving/grpc/status-messages.ts";
import type { HealthReport, ModelEntry } from "#agent/serving/http/health-report.ts";

test.each<[HealthReport["status"], string, number]>([
  ["healthy", "healthy", 1],
  ["degraded", "healthy", 1],
  ["degraded", "degraded", 1],
  ["degraded", "unhealthy", 2],
  ["degraded", "loading", 2],
  ["stopping", "healthy", 2],
])("%s with a provider that is %s: %i", (status, provider, expected) => {
  const report = { checks: { embedding_provider: provider }, details: { embedding_provider: "why" }, version: "1.2.3" };
  expect(healthMessage({ status, ...report })).toEqual({ status: expected, state: status, ...report });
});

const entry: ModelEntry = {
  id: "m",
  name: "M",
  kind: "embedding",
  dimension: 3,
  params: 5,
  memory_mb: null,
  latency_p95_ms: null,
  throughput_qps: 0,
  status: "available",
  max_tokens: 8,
  revision: "1",
  aliases: [],
  pinned: false,
  problem: null,
  notes: ["model.onnx (fp32): the only file"],
  execution_provider: null,
};

test("what is not known of a model is left out, and no traffic is 0", () => {
  const message = modelMessage(entry);
  expect(message).not.toHaveProperty("memory_mb");
  expect(message).not.toHaveProperty("latency_p95_ms");
  expect(message).not.toHaveProperty("exact_latency_p95_ms");
  expect(message).toMatchObject({ throughput_qps: 0, exact_throughput_qps: 0, notes: entry.notes });
});

test("speeds are rounded up, so that a model in use never shows 0, and are there with decimals too", () => {
  expect(modelMessage({ ...entry, latency_p95_ms: 0.41, throughput_qps: 1.2 })).toMatchObject({
    latency_p95_ms: 1,
    exact_latency_p95_ms: 0.41,
    throughput_qps: 2,
    exact_throughput_qps: 1.2,
  });
});
