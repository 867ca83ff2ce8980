import type { AgentView } from "#controller/api/schemas.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { minuteMs } from "#platform/time.ts";

const figure = (value: number | null, digits: number, unit = "") =>
  value === null ? "-" : `${value.toFixed(digits)}${unit}`;

function roleOf({ status, role }: AgentView): string {
  if (status === "offline" || role.reported === null) return role.desired ?? "-";
  return role.desired === null || role.desired === role.reported
    ? role.reported
    : `${role.reported} -> ${role.desired}`;
}

/** Remark on an agent; empty: none. Controllers of earlier versions send neither clockSkewMs nor brokerProblems. */
export function noteOf({ unavailableReason, override, clockSkewMs = 0, brokerProblems = [] }: AgentView): string {
  const minutes = Math.round(Math.abs(clockSkewMs) / minuteMs);
  const clock = clockSkewMs === 0 ? [] : [`clock ${minutes} min ${clockSkewMs < 0 ? "behind" : "ahead"}`];
  return [unavailableReason ?? (override === null ? [] : "override"), ...clock, ...brokerProblems].flat().join("; ");
}

/** Shows agents in a table; without any it says so. */
export function agentTable(agents: readonly AgentView[]): string {
  if (agents.length === 0) return "no agents yet";
  const rows = agents.map((agent) => [
    agent.agentId,
    agent.status,
    roleOf(agent),
    agent.powerMode.reported ?? "-",
    figure(agent.qps, 1),
    figure(agent.p95LatencyMs, 0, " ms"),
    figure(agent.watts, 0, " W"),
    noteOf(agent),
    redactUrl(agent.url ?? "-"),
  ]);
  return formatTable(["AGENT", "STATUS", "ROLE", "MODE", "QPS", "P95", "POWER", "NOTE", "URL"], rows);
}
