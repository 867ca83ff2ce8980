import {
  type AgentState,
  availabilityOf,
  liveQpsOf,
  ownRoleOf,
  recentLatencyMs,
  requestsOf,
} from "../fleet/agent-state.ts";
import type { AlertRuleName } from "./alert-rules.ts";

/** Value of a built-in rule for one thing. */
export interface RuleValue {
  readonly rule: AlertRuleName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | null;
  readonly detail?: string;
}

const meanOf = (values: readonly number[]) =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Share of the newest minute's requests that failed, in percent; null without requests. */
function errorPercent(agents: readonly AgentState[]): number | null {
  let failed = 0;
  let all = 0;
  for (const { recent } of agents) {
    const newest = recent.at(-1);
    if (newest === undefined) continue;
    failed += newest.traffic.errors;
    all += newest.traffic.errors + requestsOf(newest);
  }
  return all === 0 ? null : (100 * failed) / all;
}

/** Reads the figures of service that alerts watch, from the agents that are online. */
export function readService(
  all: readonly AgentState[],
  { forecastPeakQps, throughput }: { readonly forecastPeakQps: number | null; readonly throughput: number | null },
  nowMs: number,
  staleAfterMs: number,
): RuleValue[] {
  const agents = all.filter((agent) => availabilityOf(agent, nowMs, staleAfterMs).online);
  const gpus = agents
    .filter((agent) => ownRoleOf(agent) === "active")
    .flatMap(({ recent }) => recent.at(-1)?.power?.gpuUtilization ?? []);
  const load = meanOf(gpus);
  const rates = agents.flatMap((agent) => liveQpsOf(agent) ?? []);
  const isExpected = throughput !== null && forecastPeakQps !== null && forecastPeakQps >= throughput;
  const fleet = {};
  return [
    { rule: "gpu-utilization", labels: fleet, value: load === null ? null : 100 * load },
    { rule: "latency-p95", labels: fleet, value: recentLatencyMs(agents, 0.95) },
    { rule: "error-rate", labels: fleet, value: errorPercent(agents) },
    ...agents.flatMap(({ agentId, recent }): RuleValue[] => {
      const { processMemory = null, memoryBytes = null } = recent.at(-1)?.utilization ?? {};
      const value = processMemory === null || memoryBytes === null ? null : (processMemory * memoryBytes) / 1e9;
      return value === null ? [] : [{ rule: "gpu-memory", labels: { agent: agentId }, value }];
    }),
    {
      ...{ rule: "throughput", labels: fleet },
      // Where no such traffic is expected, little of it is right: that is within the threshold.
      value: isExpected ? (rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0)) : throughput,
      ...(isExpected ? { detail: `the forecast expects up to ${(forecastPeakQps as number).toFixed(0)} texts/s` } : {}),
    },
  ];
}
