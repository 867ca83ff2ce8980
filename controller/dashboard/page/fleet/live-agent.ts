import type { AgentView } from "#controller/api/schemas.ts";
import type { AgentRow } from "../../agent-row.ts";

/** Agent of a list with what the stream has told of it since: lists are asked for seldom, rows come each second. */
export function withLiveRow(agent: AgentView, row: AgentRow | undefined, conditions: readonly string[]): AgentView {
  if (row === undefined) return agent;
  const [, condition, qps, , p95LatencyMs, watts, temperatureC] = row;
  const named = (conditions[condition] ?? agent.condition) as AgentView["condition"];
  return {
    ...agent,
    condition: named,
    status: named === "offline" ? "offline" : "online",
    ...{ qps, p95LatencyMs, watts, temperatureC },
  };
}
