import type { MinuteData } from "#protocol/messages.ts";
import { agentMetric } from "./agent-metric.ts";
import type { Reading } from "./read-trigger.ts";
import type { AgentsTrigger, QueueDepthTrigger } from "./trigger-source.ts";

/** An agent that serves, with the newest minute it has reported; null when that is too old or there is none. */
export interface ServingAgent {
  readonly agentId: string;
  readonly minute: MinuteData | null;
}

/**
 * Reads a metric over the agents that serve. A sum, mean or minimum that lacks an agent is unknown: it would be too low. A maximum of the
 * known agents is at least right about them.
 */
export function readAgentsTrigger(
  trigger: AgentsTrigger | QueueDepthTrigger,
  agents: readonly ServingAgent[],
): Reading {
  const { metric, aggregate } =
    trigger.kind === "queue-depth" ? ({ metric: "queueDepth", aggregate: "sum" } as const) : trigger;
  if (agents.length === 0) return { fault: "no agent serves" };
  const values: number[] = [];
  const silent: string[] = [];
  for (const { agentId, minute } of agents) {
    const value = minute === null ? null : agentMetric(metric, minute);
    if (value === null || !Number.isFinite(value)) silent.push(agentId);
    else values.push(value);
  }
  if (values.length === 0 || (silent.length > 0 && aggregate !== "max")) {
    return { fault: `${metric} is unknown for ${silent.join(", ")}` };
  }
  const sum = values.reduce((total, value) => total + value, 0);
  const aggregates = { sum, mean: sum / values.length, max: Math.max(...values), min: Math.min(...values) };
  return { value: aggregates[aggregate] };
}
