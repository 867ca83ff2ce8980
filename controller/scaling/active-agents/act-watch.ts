import { type AgentState, ownRoleOf } from "#controller/fleet/agent-state.ts";
import type { AgentRole, Desired } from "#protocol/messages.ts";

/** Watches whether what agents were told comes true, by what they report. */
export interface ActWatch {
  /**
   * Why an agent can't be counted on: it was told to serve and has not reported it in time, or that was so a short while ago.
   * Null when it can.
   */
  look(agent: AgentState, desired: Desired | undefined, nowMs: number): string | null;
}

export interface ActWatchTimes {
  /** After so long without a report what was told counts as not done. */
  readonly confirmWithinMs: number;
  /** For so long after that the agent is left out, so that it is not chosen again at once. */
  readonly avoidForMs: number;
}

/** Whether anything the agent said tells that it serves: its report, its presence, its newest minute. */
function saysItServes({ presence, reported, recent }: AgentState, ownRole: AgentRole | null): boolean {
  return [ownRole, presence?.role, reported?.role, recent.at(-1)?.role].includes("active");
}

export function createActWatch({ confirmWithinMs, avoidForMs }: ActWatchTimes): ActWatch {
  const failedAtMs = new Map<string, number>();
  return {
    look(agent, desired, nowMs) {
      const { agentId, presence } = agent;
      const failed = failedAtMs.get(agentId);
      if (failed !== undefined && (nowMs - failed > avoidForMs || nowMs < failed)) failedAtMs.delete(agentId);
      if (desired?.role === "active" && presence?.status === "online" && !saysItServes(agent, ownRoleOf(agent))) {
        const toldMs = nowMs - desired.issuedAtMs;
        if (toldMs > confirmWithinMs) {
          failedAtMs.set(agentId, nowMs);
          return `was told to serve ${Math.round(toldMs / 1000)} s ago and has not reported it`;
        }
      }
      // One that serves after all is forgiven at once.
      if (saysItServes(agent, ownRoleOf(agent))) failedAtMs.delete(agentId);
      const since = failedAtMs.get(agentId);
      if (since === undefined) return null;
      return `did not serve when it was told to, ${Math.round((nowMs - since) / 1000)} s ago`;
    },
  };
}
