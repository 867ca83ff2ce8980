import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { minuteMs } from "#platform/time.ts";
import { AgentRole } from "#protocol/messages.ts";

const Count = Type.Integer({ minimum: 0, default: 0 });

export const SleepInputs = Type.Object(
  {
    canSuspend: Type.Boolean({ default: true, description: "false: no suspend command is configured" }),
    afterMs: Type.Number({
      default: 15 * minuteMs,
      minimum: 0,
      description: "time on standby before the device sleeps",
    }),
    role: Type.Union(AgentRole.anyOf, { default: "standby" }),
    standbySinceMs: orNull(Type.Number(), "null: not on standby"),
    requestsInFlight: Count,
    outboxRecords: { ...Count, description: "records that have not been sent" },
    controllerOnline: Type.Boolean({ default: true }),
    servingPeers: { ...Count, description: "agents that could wake this one" },
    boardInUse: orNull(Type.String(), "reason to leave the board as it is, such as a calibration"),
    nowMs: Type.Number(),
  },
  { additionalProperties: false },
);
export type SleepInputs = ReadonlyStatic<typeof SleepInputs>;

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
