import type { AgentRole } from "#protocol/messages.ts";

export interface SleepingPeer {
  readonly agentId: string;
  readonly desiredRole: AgentRole | null;
  /** Last attempt to wake it; null before the first. */
  readonly triedAtMs: number | null;
}

export interface WakeInputs {
  readonly ownRole: AgentRole;
  readonly sleeping: readonly SleepingPeer[];
  readonly retryMs: number;
  readonly nowMs: number;
}

/** Returns the peers to wake now: sleeping ones that are desired active, again each `retryMs`. Every serving agent wakes them; twice does no harm. */
export function decideWake({ ownRole, sleeping, retryMs, nowMs }: WakeInputs): readonly string[] {
  if (ownRole !== "active") return [];
  return sleeping
    .filter(({ desiredRole }) => desiredRole === "active")
    .filter(({ triedAtMs }) => triedAtMs === null || nowMs - triedAtMs >= retryMs || nowMs < triedAtMs)
    .map(({ agentId }) => agentId);
}
