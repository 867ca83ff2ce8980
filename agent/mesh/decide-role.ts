import type { AgentRole, Desired } from "#protocol/messages.ts";

export interface RoleInputs {
  /** The controller's last document for this agent, or null before the first. */
  readonly desired: Desired | null;
  /** The role that configuration gives an agent without a document. */
  readonly configuredRole: AgentRole;
  /** Whether the agent is stopping. */
  readonly stopping: boolean;
  /** True while a drain command holds: until the next document, and only for a limited time. */
  readonly drainedByCommand: boolean;
  readonly brokerConnected: boolean;
  readonly controllerOnline: boolean;
  /** Other agents of the fleet that are online and active, as far as is known. */
  readonly servingPeerCount: number;
}

export type RoleDecision =
  | {
      readonly role: AgentRole;
      readonly source: "stopping" | "command" | "configuration" | "desired";
      readonly reason: string;
    }
  | { readonly role: "active"; readonly source: "last-resort"; readonly reason: string };

/**
 * The role an agent takes. It follows the controller's last document, also while the controller is away. Only when the controller
 * is known to be gone and nobody else serves does a standby agent serve by itself: an idle device helps no one then.
 */
export function decideRole(inputs: RoleInputs): RoleDecision {
  const { desired } = inputs;
  if (inputs.stopping) return { role: "draining", source: "stopping", reason: "the agent is stopping" };
  if (inputs.drainedByCommand) return { role: "draining", source: "command", reason: "drained by command" };
  if (desired === null) {
    return { role: inputs.configuredRole, source: "configuration", reason: "no instructions from a controller yet" };
  }
  const nobodyServes =
    desired.role !== "active" && inputs.brokerConnected && !inputs.controllerOnline && inputs.servingPeerCount === 0;
  if (nobodyServes) {
    return {
      role: "active",
      source: "last-resort",
      reason: `desired is ${desired.role}, but the controller is offline and no other agent serves`,
    };
  }
  return { role: desired.role, source: "desired", reason: desired.reason };
}
