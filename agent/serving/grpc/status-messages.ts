import type { HealthReport, ModelEntry } from "../http/health-report.ts";

/** Statuses of the default model's check at which vectors are not computed. */
const notComputing: readonly (string | undefined)[] = ["unhealthy", "loading"];

/** Numbers of `HealthResponse.Status`. */
const healthy = 1;
const unhealthy = 2;

/** Fields of a `HealthResponse`. Its status has two values, so a degraded agent is healthy as long as it computes vectors. */
export function healthMessage({ status: state, checks, details, version }: HealthReport): Record<string, unknown> {
  const computes = state !== "stopping" && !notComputing.includes(checks["embedding_provider"]);
  return { status: computes ? healthy : unhealthy, checks, version, state, details };
}

/** Fields of a `ModelInfo`. Null values are left out: Protocol Buffers don't have them. */
export function modelMessage(entry: ModelEntry): Record<string, unknown> {
  const { latency_p95_ms, throughput_qps } = entry;
  const fields = {
    ...entry,
    latency_p95_ms: latency_p95_ms === null ? null : Math.ceil(latency_p95_ms),
    throughput_qps: Math.ceil(throughput_qps),
    exact_latency_p95_ms: latency_p95_ms,
    exact_throughput_qps: throughput_qps,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
