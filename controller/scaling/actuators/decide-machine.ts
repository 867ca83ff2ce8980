import type { CapacityConfig } from "./capacity-config.ts";
import type { MachineLook } from "./capacity-provider.ts";

export interface MachineDecision {
  /** What to ask the provider for now; null: nothing. */
  readonly ask: "on" | "off" | null;
  /** It was asked to come and did not in time: this is to be said, once. */
  readonly failed: boolean;
  /** Why the agent can't be counted on; null when it can: it is there, it is coming, or it can be had. */
  readonly unavailable: string | null;
  readonly reason: string;
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;

/**
 * What to do with an agent's machine so that it can play its role: on when it is to serve and is not there, off when it has been on standby for a
 * while. What was asked for and has not come within `startupMs` has failed: it is asked for again, and does not count for `avoidForMs`. Time that
 * was set back makes nothing late.
 */
export function decideMachine(
  look: MachineLook,
  times: Pick<CapacityConfig, "startupMs" | "lingerMs" | "avoidForMs">,
  nowMs: number,
): MachineDecision {
  const { desiredRole, desiredSinceMs, online, ownRole, asked, failedAtMs } = look;
  const askedAgoMs = asked === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - asked.atMs);
  const failedAgoMs = failedAtMs === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - failedAtMs);
  const avoided = failedAgoMs <= times.avoidForMs ? `its machine failed to start ${seconds(failedAgoMs)} ago` : null;
  const nothing = (unavailable: string | null, reason: string): MachineDecision => ({
    ...{ ask: null, failed: false, unavailable, reason },
  });

  if (desiredRole === "active") {
    if (online) return nothing(null, "it is there");
    if (asked?.want !== "on") {
      return { ask: "on", failed: false, unavailable: avoided, reason: "it is to serve and its machine is off" };
    }
    const late = askedAgoMs > times.startupMs;
    if (!late) {
      const coming = `its machine was switched on ${seconds(askedAgoMs)} ago`;
      // A second attempt is not counted on: the first was.
      return nothing(asked.attempts > 1 ? `${coming}, attempt ${asked.attempts}` : avoided, coming);
    }
    const why = `its machine was switched on ${seconds(askedAgoMs)} ago and it has not come`;
    return { ask: "on", failed: true, unavailable: why, reason: `${why}: again` };
  }
  if (!online) {
    return nothing(avoided, "it rests");
  }
  const restsMs = Math.max(0, nowMs - desiredSinceMs);
  if (desiredRole === null || ownRole === "active" || restsMs < times.lingerMs) return nothing(null, "it is there");
  if (asked?.want === "off" && askedAgoMs <= times.startupMs) return nothing(null, "it is being switched off");
  return { ask: "off", failed: false, unavailable: null, reason: `it has been on standby for ${seconds(restsMs)}` };
}
