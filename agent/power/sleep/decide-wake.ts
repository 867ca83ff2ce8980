import type { AgentRole } from "#protocol/messages.ts";

/** A peer that said it goes to sleep. */
export interface SleepingPeer {
  readonly agentId: string;
  readonly desiredRole: AgentRole | null;
  /** When it was last tried to wake it; null when it never was. */
  readonly triedAtMs: number | null;
}

export interface WakeInputs {
  readonly ownRole: AgentRole;
  readonly sleeping: readonly SleepingPeer[];
  readonly retryMs: number;
  readonly nowMs: number;
}

/** Which peers to wake now: those that are wanted, by whoever is awake; again after a while for as long as they sleep. To be woken twice does no harm. */
export function decideWake({ ownRole, sleeping, retryMs, nowMs }: WakeInputs): readonly string[] {
  if (ownRole !== "active") return [];
  return sleeping
    .filter(({ desiredRole }) => desiredRole === "active")
    .filter(({ triedAtMs }) => triedAtMs === null || nowMs - triedAtMs >= retryMs || nowMs < triedAtMs)
    .map(({ agentId }) => agentId);
}
