import type { AgentRole, Desired } from "#protocol/messages.ts";

export interface RoleInputs {
  /** Controller's last document for this agent; null before the first. */
  readonly desired: Desired | null;
  /** Role of an agent without a document. */
  readonly configuredRole: AgentRole;
  readonly stopping: boolean;
  /** True while a drain command is in force: until the next document, and only for a limited time. */
  readonly drainedByCommand: boolean;
  readonly brokerConnected: boolean;
  readonly controllerOnline: boolean;
  /** Other agents of the fleet known to be online and active. */
  readonly servingPeerCount: number;
}

/** Role, and the rule it follows from (`source`) with its figures. */
export type RoleDecision =
  | { readonly role: "draining"; readonly source: "stopping" | "command" }
  | { readonly role: AgentRole; readonly source: "configuration" }
  | { readonly role: AgentRole; readonly source: "desired"; readonly desiredReason: string }
  | { readonly role: "active"; readonly source: "last-resort"; readonly desiredRole: AgentRole };

/**
 * Decides the role of an agent. It follows the controller's last document, also while the controller is away. Only when the controller
 * is known to be offline and no peer serves does a standby agent serve by itself: an idle device helps no one then.
 */
export function decideRole(inputs: RoleInputs): RoleDecision {
  const { desired } = inputs;
  if (inputs.stopping) return { role: "draining", source: "stopping" };
  if (inputs.drainedByCommand) return { role: "draining", source: "command" };
  if (desired === null) return { role: inputs.configuredRole, source: "configuration" };
  const { role, reason } = desired;
  const noAgentServes =
    role !== "active" && inputs.brokerConnected && !inputs.controllerOnline && inputs.servingPeerCount === 0;
  if (noAgentServes) return { role: "active", source: "last-resort", desiredRole: role };
  return { role, source: "desired", desiredReason: reason };
}
