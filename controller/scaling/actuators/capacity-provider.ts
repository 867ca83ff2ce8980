import type { AgentRole } from "#protocol/messages.ts";

/** What is asked of whoever provides an agent's capacity. */
export interface CapacityAct {
  /** The same for the same wish, however often it is asked. */
  readonly id: string;
  readonly agentId: string;
  readonly want: "on" | "off";
  /** The power mode to hold, null to hold none; left out where it stays as it is, and without meaning to who switches machines. */
  readonly mode?: string | null;
  /** For people. */
  readonly reason: string;
}

/**
 * What can switch agents on and off: their roles by desired documents, their machines as processes or by somebody else's program. That a request was taken says nothing of whether it comes true: this is seen by
 * what the agent reports.
 */
export interface CapacityProvider {
  readonly kind: "documents" | "process" | "webhook";
  /** The agents it provides. */
  readonly agentIds: readonly string[];
  /** Asks for an agent to be on or off; the same act again changes nothing. Rejects with why it was not taken. */
  request(act: CapacityAct): Promise<void>;
  /** Ends what it has begun. */
  stop(): Promise<void>;
}

/** What is known of an agent and its machine when it is decided what to ask for. */
export interface MachineLook {
  readonly desiredRole: AgentRole | null;
  /** Since when it is desired. */
  readonly desiredSinceMs: number;
  readonly online: boolean;
  /** The role it has by its own word. */
  readonly ownRole: AgentRole | null;
  /** What was asked last, when, and how often in a row without success; null: nothing yet. */
  readonly asked: { readonly want: "on" | "off"; readonly atMs: number; readonly attempts: number } | null;
  /** When it last failed to come; null: never, or it came since. */
  readonly failedAtMs: number | null;
}
