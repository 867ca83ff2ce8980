import type { CapacityConfig } from "./capacity-config.ts";
import type { MachineLook } from "./capacity-provider.ts";

export interface MachineDecision {
  readonly rule: "serving" | "switch-on" | "starting" | "late" | "off" | "on-standby" | "stopping" | "switch-off";
  /** Request to the provider now; null: none. */
  readonly ask: "on" | "off" | null;
  /** Reason why the agent can't be counted on; null when it can: it is there, it is coming, or it can be switched on. */
  readonly unavailable: "late" | "failed-lately" | "retrying" | null;
  /** Attempts to switch it on, in a row. */
  readonly attempts: number;
  /** Times since the machine was last asked for, since it last failed, and since its agent has been on standby; infinite: never. */
  readonly askedAgoMs: number;
  readonly failedAgoMs: number;
  readonly restsMs: number;
}

/**
 * Decides what to do with an agent's machine so that it can play its role: on when the agent is to serve and is not there, off when it has
 * been on standby for a while. A machine that was asked for and has not come within `startupMs` has failed: it is asked for again, and its
 * agent is not counted on for `avoidForMs`. A clock that is set back makes nothing late.
 */
export function decideMachine(
  look: MachineLook,
  times: Pick<CapacityConfig, "startupMs" | "lingerMs" | "avoidForMs">,
  nowMs: number,
): MachineDecision {
  const { desiredRole, desiredSinceMs, online, ownRole, asked, failedAtMs } = look;
  const askedAgoMs = asked === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - asked.atMs);
  const failedAgoMs = failedAtMs === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - failedAtMs);
  const restsMs = Math.max(0, nowMs - desiredSinceMs);
  const attempts = asked?.want === "on" ? asked.attempts : 0;
  const avoided = failedAgoMs <= times.avoidForMs ? "failed-lately" : null;
  const decision = (
    rule: MachineDecision["rule"],
    ask: MachineDecision["ask"],
    unavailable: MachineDecision["unavailable"] = null,
  ): MachineDecision => ({ rule, ask, unavailable, attempts, askedAgoMs, failedAgoMs, restsMs });

  if (desiredRole === "active") {
    if (online) return decision("serving", null);
    if (asked?.want !== "on") return decision("switch-on", "on", avoided);
    if (askedAgoMs > times.startupMs) return decision("late", "on", "late");
    // A second attempt is not counted on: the first was.
    return decision("starting", null, attempts > 1 ? "retrying" : avoided);
  }
  if (!online) return decision("off", null, avoided);
  if (desiredRole === null || ownRole === "active" || restsMs < times.lingerMs) return decision("on-standby", null);
  if (asked?.want === "off" && askedAgoMs <= times.startupMs) return decision("stopping", null);
  return decision("switch-off", "off");
}
