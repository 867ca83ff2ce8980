import type { AgentView, FleetView, Health } from "#controller/api/schemas.ts";
import { answerToText, type ServerClient } from "./server-client.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

/** Age from which a decision is overdue: five times the default time between two. */
const maxDecisionAgeMs = 5 * 60_000;

/** Checks the controller's own health. */
export function checkControllerHealth(health: Health): VerifyResult {
  const name = "health";
  if (!health.brokerConnected)
    return fail(name, "the controller has no broker", "Look at broker.* in its configuration, and at its log.");
  if (health.status === "ok") return ok(name, `ok, version ${health.version}, connected to its broker`);
  return warn(name, `${health.status}: ${health.problems.join("; ")}`, "docs/mqtt.md explains each.");
}

/** Checks that agents are there, online and able to serve. */
export function checkAgents(agents: readonly AgentView[]): VerifyResult {
  const name = "agents";
  if (agents.length === 0) {
    const advice = "Start an agent whose broker.url is this controller's: thormesh agent --config FILE.";
    return warn(name, "none has reported yet", advice);
  }
  const offline = agents.filter(({ status }) => status === "offline").map(({ agentId }) => agentId);
  const unable = agents.flatMap(({ agentId, status, unavailableReason }) =>
    status === "offline" || unavailableReason === null ? [] : [`${agentId}: ${unavailableReason}`],
  );
  const detail = `${agents.length - offline.length} of ${agents.length} online`;
  if (offline.length === agents.length)
    return fail(name, `${detail}: ${offline.slice(0, 5).join(", ")}`, "thormesh doctor on the device shows why.");
  const faults = [...(offline.length > 0 ? [`offline: ${offline.slice(0, 5).join(", ")}`] : []), ...unable.slice(0, 5)];
  if (faults.length === 0) return ok(name, detail);
  return warn(name, `${detail}; ${faults.join("; ")}`, "DELETE /api/v1/agents/ID retires one that is gone for good.");
}

/** Checks that some agents serve. */
export function checkServing({ agents, freeze, policy }: FleetView): VerifyResult {
  const name = "fleet";
  if (policy?.problem != null)
    return fail(
      name,
      `the policy file is not in force: ${policy.problem}`,
      "thormesh policy validate FILE lists its mistakes.",
    );
  const detail = `${agents.active} active, ${agents.standby} standby, ${agents.draining} draining`;
  if (agents.online > 0 && agents.active === 0)
    return fail(name, `no agent serves: ${detail}`, "thormesh why shows the decision behind it.");
  if (freeze != null)
    return warn(name, `${detail}; frozen: ${freeze.reason}`, "thormesh freeze --end ends the freeze.");
  return ok(name, detail);
}

/** Checks that the controller decides. */
export function checkDecision({ latestDecision, nowMs, controller, agents }: FleetView): VerifyResult {
  const name = "decisions";
  if (latestDecision === null) {
    const young = nowMs - controller.startedAtMs < maxDecisionAgeMs;
    if (young || agents.total === 0)
      return warn(name, "none yet", "The first decision is made about a minute after the start.");
    return fail(name, "none since the start, minutes ago", "Look at the controller's log.");
  }
  const ageS = Math.max(0, (nowMs - latestDecision.atMs) / 1_000);
  const detail = `the last one ${ageS.toFixed(0)} s ago: ${latestDecision.kind} (${latestDecision.rule})`;
  if (1_000 * ageS <= maxDecisionAgeMs) return ok(name, detail);
  return warn(name, detail, "Is loop.intervalMs that long? Otherwise look at the controller's log.");
}

/** Reads the fleet's state. @throws Error when the controller refuses */
export async function readFleet(
  server: ServerClient,
): Promise<{ readonly fleet: FleetView; readonly agents: readonly AgentView[] }> {
  const [fleet, list] = [await server.get("/api/v1/fleet"), await server.get("/api/v1/agents")];
  for (const answer of [fleet, list])
    if (answer.status !== 200) throw new Error(`the answer was ${answerToText(answer)}`);
  return { fleet: fleet.json as FleetView, agents: list.json.agents as readonly AgentView[] };
}
