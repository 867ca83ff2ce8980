import { type AgentState, ownRoleOf } from "#controller/fleet/agent-state.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import type { AgentRole, Desired } from "#protocol/messages.ts";

type ActWatchTimes = Pick<ScalingConfig, "confirmWithinMs" | "avoidForMs">;

/** True when the agent's report, presence or newest minute says that it serves. */
function reportsServing({ presence, reported, recent }: AgentState, ownRole: AgentRole | null): boolean {
  return [ownRole, presence?.role, reported?.role, recent.at(-1)?.role].includes("active");
}

/** Watches, from their reports, whether agents told to serve do so. */
export class ActWatch {
  readonly #times: ActWatchTimes;
  readonly #failedAtMs = new Map<string, number>();

  constructor(times: ActWatchTimes) {
    this.#times = times;
  }

  /**
   * Returns why an agent can't be counted on: it was told to serve and has not reported it in time, or that was so a short while ago. Null
   * when it can.
   */
  look(agent: AgentState, desired: Desired | undefined, nowMs: number): string | null {
    const { agentId, presence } = agent;
    const { confirmWithinMs, avoidForMs } = this.#times;
    const failedMs = this.#failedAtMs.get(agentId);
    if (failedMs !== undefined && (nowMs - failedMs > avoidForMs || nowMs < failedMs)) this.#failedAtMs.delete(agentId);
    const serves = reportsServing(agent, ownRoleOf(agent));
    if (desired?.role === "active" && presence?.status === "online" && !serves) {
      const toldMs = nowMs - desired.issuedAtMs;
      if (toldMs > confirmWithinMs) {
        this.#failedAtMs.set(agentId, nowMs);
        return `was told to serve ${Math.round(toldMs / 1000)} s ago and has not reported that it does`;
      }
    }
    // An agent that serves after all is forgiven at once.
    if (serves) this.#failedAtMs.delete(agentId);
    const sinceMs = this.#failedAtMs.get(agentId);
    if (sinceMs === undefined) return null;
    return `did not serve when it was told to, ${Math.round((nowMs - sinceMs) / 1000)} s ago`;
  }
}
