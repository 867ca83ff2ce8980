import type { RoleDecision } from "./decide-role.ts";

/** Returns the sentence that a person reads about a decision; that of a desired role is the controller's own. */
export function explainRole(decision: RoleDecision): string {
  switch (decision.source) {
    case "stopping":
      return "the agent is stopping";
    case "command":
      return "drained by command";
    case "configuration":
      return "no instructions from a controller yet";
    case "desired":
      return decision.desiredReason;
    case "last-resort":
      return `desired is ${decision.desiredRole}, but the controller is offline and no other agent serves`;
    default:
      return decision satisfies never;
  }
}
