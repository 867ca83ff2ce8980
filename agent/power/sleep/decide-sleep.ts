import type { AgentRole } from "#protocol/messages.ts";

export interface SleepInputs {
  /** Whether there is a command to suspend with. */
  readonly canSuspend: boolean;
  readonly afterMs: number;
  readonly role: AgentRole;
  /** When it began to stand by; null while it does not. */
  readonly standbySinceMs: number | null;
  readonly requestsInFlight: number;
  /** Records that have not been sent yet. */
  readonly outboxRecords: number;
  /** Who would want it again. */
  readonly controllerOnline: boolean;
  /** Who would wake it. */
  readonly servingPeers: number;
  /** Why the board must be left as it is, e.g. a calibration; null when there is nothing. */
  readonly boardInUse: string | null;
  readonly nowMs: number;
}

export type SleepDecision =
  | { readonly kind: "sleep"; readonly reason: string }
  | { readonly kind: "stay"; readonly reason: string };

const stay = (reason: string): SleepDecision => ({ kind: "stay", reason });

/** Whether a device that stands by goes to sleep: only when nothing is left to do and somebody is there to want it and to wake it again. */
export function decideSleep(inputs: SleepInputs): SleepDecision {
  const { role, standbySinceMs, nowMs, afterMs } = inputs;
  if (!inputs.canSuspend) return stay("no command to suspend with is configured");
  if (role !== "standby" || standbySinceMs === null) return stay(`its role is ${role}`);
  if (inputs.boardInUse !== null) return stay(inputs.boardInUse);
  if (inputs.requestsInFlight > 0) return stay(`${inputs.requestsInFlight} requests are in flight`);
  if (!inputs.controllerOnline) return stay("no controller is there to want it again");
  if (inputs.servingPeers === 0) return stay("no other agent serves that could wake it");
  if (inputs.outboxRecords > 0) return stay(`${inputs.outboxRecords} records are to be sent first`);
  const stoodByMs = nowMs - standbySinceMs;
  if (!(stoodByMs >= afterMs)) return stay(`it has stood by for ${Math.max(0, Math.round(stoodByMs / 1000))} s`);
  return { kind: "sleep", reason: `it has stood by for ${Math.round(stoodByMs / 1000)} s with nothing to do` };
}
