import type { TSchema } from "@sinclair/typebox";
import { demandOf, offeredTexts } from "#protocol/demand.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import { MinuteData } from "#protocol/messages.ts";

/** Figures derived from an agent's minute; any number in it can also be named by its path. */
const derived: Readonly<Record<string, (minute: MinuteData) => number | null>> = {
  qps: (minute) => minute.traffic.models.reduce((sum, { texts }) => sum + texts, 0) / 60,
  offeredQps: (minute) => minute.traffic.models.reduce((sum, model) => sum + offeredTexts(model), 0) / 60,
  demandQps: (minute) => demandOf(minute.traffic) / 60,
  requestsPerS: (minute) => minute.traffic.models.reduce((sum, { requests }) => sum + requests, 0) / 60,
  errorsPerS: (minute) => minute.traffic.errors / 60,
  rejectedPerS: (minute) => minute.traffic.rejected / 60,
  p50LatencyMs: (minute) => latency(minute, 0.5),
  p95LatencyMs: (minute) => latency(minute, 0.95),
  p99LatencyMs: (minute) => latency(minute, 0.99),
  watts: ({ power }) => (power === null || power.measuredMs === 0 ? null : power.energyJ / (power.measuredMs / 1000)),
};

function latency({ traffic }: MinuteData, quantile: number): number | null {
  const counts = traffic.models.reduce(
    (sum, { latencyCounts }) => addLatencyCounts(sum, latencyCounts),
    emptyLatencyCounts(),
  );
  return latencyQuantileMs(counts, quantile);
}

/** Lists the schemas that a schema stands for: the branches of a union. */
function branches(schema: TSchema): TSchema[] {
  return Array.isArray(schema["anyOf"]) ? schema["anyOf"].flatMap(branches) : [schema];
}

function leadsToNumber(schema: TSchema, path: readonly string[]): boolean {
  return branches(schema).some((branch) => {
    const [key, ...rest] = path;
    if (key === undefined) return branch["type"] === "number" || branch["type"] === "integer";
    if (branch["type"] === "array") return /^\d{1,4}$/.test(key) && leadsToNumber(branch["items"], rest);
    const next = Object.hasOwn(branch["properties"] ?? {}, key) ? branch["properties"][key] : undefined;
    return next !== undefined && leadsToNumber(next, rest);
  });
}

/** Returns what is wrong with the name of a metric; null when an agent's minute has it. */
export function agentMetricFault(metric: string): string | null {
  if (Object.hasOwn(derived, metric) || leadsToNumber(MinuteData, metric.split("."))) return null;
  const names = Object.keys(derived).join(", ");
  return `expected ${names} or the path of a number in an agent's minute such as queueDepth or power.gpuUtilization, got "${metric}"`;
}

/** Returns the metric in one minute; null when the minute doesn't have it. */
export function agentMetric(metric: string, minute: MinuteData): number | null {
  const calculate = Object.hasOwn(derived, metric) ? derived[metric] : undefined;
  if (calculate !== undefined) return calculate(minute);
  let value: unknown = minute;
  for (const key of metric.split(".")) {
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : null;
  }
  return typeof value === "number" ? value : null;
}
