import type { AgentRole } from "#protocol/messages.ts";

export interface SleepInputs {
  /** True when a command to suspend with is configured. */
  readonly canSuspend: boolean;
  readonly afterMs: number;
  readonly role: AgentRole;
  /** Start of the standby; null in another role. */
  readonly standbySinceMs: number | null;
  readonly requestsInFlight: number;
  /** Records that have not been sent yet. */
  readonly outboxRecords: number;
  /** A controller can ask for the device again. */
  readonly controllerOnline: boolean;
  /** Other agents that serve, and can wake it. */
  readonly servingPeers: number;
  /** Reason to leave the board as it is, such as a calibration; null without one. */
  readonly boardInUse: string | null;
  readonly nowMs: number;
}

export type SleepDecision =
  | { readonly kind: "sleep"; readonly rule: "idle"; readonly standbyMs: number }
  | ({ readonly kind: "stay" } & (
      | { readonly rule: "no-command" | "no-controller" | "no-peer" }
      | { readonly rule: "role"; readonly role: AgentRole }
      | { readonly rule: "board-in-use"; readonly use: string }
      | { readonly rule: "in-flight"; readonly requests: number }
      | { readonly rule: "unsent"; readonly records: number }
      | { readonly rule: "too-soon"; readonly standbyMs: number; readonly afterMs: number }
    ));

/** Decides if a standby device goes to sleep: only when nothing is left to do, and both a controller and a peer are there to wake it again. */
export function decideSleep(inputs: SleepInputs): SleepDecision {
  const { role, standbySinceMs, boardInUse, nowMs, afterMs } = inputs;
  if (!inputs.canSuspend) return { kind: "stay", rule: "no-command" };
  if (role !== "standby" || standbySinceMs === null) return { kind: "stay", rule: "role", role };
  if (boardInUse !== null) return { kind: "stay", rule: "board-in-use", use: boardInUse };
  if (inputs.requestsInFlight > 0) return { kind: "stay", rule: "in-flight", requests: inputs.requestsInFlight };
  if (!inputs.controllerOnline) return { kind: "stay", rule: "no-controller" };
  if (inputs.servingPeers === 0) return { kind: "stay", rule: "no-peer" };
  if (inputs.outboxRecords > 0) return { kind: "stay", rule: "unsent", records: inputs.outboxRecords };
  const standbyMs = nowMs - standbySinceMs;
  if (!(standbyMs >= afterMs)) return { kind: "stay", rule: "too-soon", standbyMs: Math.max(0, standbyMs), afterMs };
  return { kind: "sleep", rule: "idle", standbyMs };
}
