import type { Static } from "@sinclair/typebox";
import type { AgentList, AgentView, FleetView } from "#controller/api/schemas.ts";
import { cleanText } from "#platform/clean-text.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Command } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { minuteMs } from "#platform/time.ts";
import { askController, controllerUrlOption } from "./run/ask-controller.ts";

const figure = (value: number | null, digits: number, unit = "") =>
  value === null ? "-" : `${value.toFixed(digits)}${unit}`;

function roleOf({ status, role }: AgentView): string {
  if (status === "offline" || role.reported === null) return role.desired ?? "-";
  return role.desired === null || role.desired === role.reported
    ? role.reported
    : `${role.reported} -> ${role.desired}`;
}

/** Controllers of earlier versions send neither clockSkewMs nor brokerProblems. */
function noteOf({ unavailableReason, override, clockSkewMs = 0, brokerProblems = [] }: AgentView): string {
  const minutes = Math.round(Math.abs(clockSkewMs) / minuteMs);
  const clock = clockSkewMs === 0 ? [] : [`clock ${minutes} min ${clockSkewMs < 0 ? "behind" : "ahead"}`];
  return [unavailableReason ?? (override === null ? [] : "override"), ...clock, ...brokerProblems].flat().join("; ");
}

/** Shows the fleet in a few lines and its agents in a table. */
export function statusToText(fleet: FleetView, agents: readonly AgentView[]): string {
  const { controller, agents: counts } = fleet;
  const lines = [
    `fleet ${fleet.fleet}: ${counts.online} of ${counts.total} agents online, ${counts.active} active` +
      `${controller.brokerConnected ? "" : "; NO BROKER"}`,
    `now ${figure(fleet.qps, 1)} qps, forecast peak ${figure(fleet.forecastPeakQps, 1)} qps` +
      ` (${fleet.forecast?.model ?? "no forecast"}), p95 ${figure(fleet.p95LatencyMs, 0, " ms")}, ${figure(fleet.watts, 0, " W")}`,
  ];
  if (fleet.latestDecision !== null) {
    lines.push(`decision: ${fleet.latestDecision.kind} (${fleet.latestDecision.rule}): ${fleet.latestDecision.reason}`);
  }
  // Controllers of earlier versions send neither.
  const { freeze = null, policy = null } = fleet;
  if (freeze !== null) {
    const until = freeze.untilMs === null ? "" : ` until ${new Date(freeze.untilMs).toISOString().slice(0, 16)}Z`;
    lines.push(`FROZEN by an operator${until}: ${freeze.reason}`);
  }
  if (policy !== null) {
    lines.push(`policy: ${policy.name} (${policy.mode})`);
    if (policy.problem !== null)
      lines.push(`  the policy file is not in force, an earlier version is: ${policy.problem}`);
  }
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
  const header = ["AGENT", "STATUS", "ROLE", "MODE", "QPS", "P95", "POWER", "NOTE", "URL"];
  return [
    ...lines.map((line) => cleanText(line)),
    "",
    rows.length === 0 ? "no agents yet" : formatTable(header, rows),
  ].join("\n");
}

export const statusCommand: Command = {
  summary: "show the fleet and its agents",
  usage: "[--url URL] [--json]",
  optionsOnly: true,
  options: {
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values) {
    const [fleet, list] = await Promise.all([
      askController(values, "/api/v1/fleet"),
      askController(values, "/api/v1/agents"),
    ]);
    const { agents } = list as Static<typeof AgentList>;
    console.log(
      values["json"] === true ? JSON.stringify({ fleet, agents }, null, 2) : statusToText(fleet as FleetView, agents),
    );
    return 0;
  },
};
