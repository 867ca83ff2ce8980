import { minuteMs } from "#platform/time.ts";
import type { AgentRole } from "#protocol/messages.ts";

/** Keeps the time since the agent began to serve. */
export interface ServiceTime {
  observe(role: AgentRole, nowMs: number): void;
  /** Returns the time since service began; null when the agent has served since its start, or does not serve. */
  servingForMs(nowMs: number): number | null;
  /** Returns true once forecasts are evidence: those made from a time without requests miss all later traffic. */
  teaches(nowMs: number): boolean;
}

/** Time after the beginning of service in which forecasts are still made from the time before it. */
const unfamiliarMs = 15 * minuteMs;

export function createServiceTime(): ServiceTime {
  let role: AgentRole | null = null;
  let firstMs = 0;
  /** Null while the agent has not begun to serve after another role. */
  let serviceStartMs: number | null = null;
  return {
    observe(now, nowMs) {
      if (role === null) firstMs = nowMs;
      else if (role !== "active" && now === "active") serviceStartMs = nowMs;
      role = now;
    },
    servingForMs: (nowMs) =>
      role === "active" && serviceStartMs !== null ? Math.max(0, nowMs - serviceStartMs) : null,
    teaches: (nowMs) => role === "active" && nowMs - (serviceStartMs ?? firstMs) >= unfamiliarMs,
  };
}
