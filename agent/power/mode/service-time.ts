import type { AgentRole } from "#protocol/messages.ts";

/** Knows how long the agent has been serving. */
export interface ServiceTime {
  observe(role: AgentRole, nowMs: number): void;
  /** Since it took up service; null when it has served since it started, or does not serve. */
  servingForMs(nowMs: number): number | null;
  /** Whether what is forecast now can be held against what comes: forecasts of a time without requests miss all that is sent later. */
  teaches(nowMs: number): boolean;
}

/** For so long after service began forecasts are still made from the time before it. */
const strangeMs = 15 * 60_000;

export function createServiceTime(): ServiceTime {
  let role: AgentRole | null = null;
  let firstMs = 0;
  /** Null while it has not been taken up after anything else. */
  let takenUpMs: number | null = null;
  return {
    observe(now, nowMs) {
      if (role === null) firstMs = nowMs;
      else if (role !== "active" && now === "active") takenUpMs = nowMs;
      role = now;
    },
    servingForMs: (nowMs) => (role === "active" && takenUpMs !== null ? Math.max(0, nowMs - takenUpMs) : null),
    teaches: (nowMs) => role === "active" && nowMs - (takenUpMs ?? firstMs) >= strangeMs,
  };
}
