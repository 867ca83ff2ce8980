import type { AgentRole } from "#protocol/messages.ts";

/** A request to the provider of an agent's capacity. */
export interface CapacityAct {
  /** The same for the same request, however often it is repeated. */
  readonly id: string;
  readonly agentId: string;
  readonly want: "on" | "off";
  /** Power mode to hold, null to hold none; left out where it stays as it is. Providers that switch machines ignore it. */
  readonly mode?: string | null;
  readonly reason: string;
}

/**
 * Switches agents on and off: their roles by desired documents, their machines as processes or by another program. A request that was
 * accepted is not yet carried out: only the agent's reports say so.
 */
export interface CapacityProvider {
  readonly kind: "documents" | "process" | "webhook";
  /** Agents that it switches. */
  readonly agentIds: readonly string[];
  /** Asks for an agent to be on or off; the same act again changes nothing. Rejects with the reason when it was not accepted. */
  request(act: CapacityAct): Promise<void>;
  /** Ends what it has started. */
  stop(): Promise<void>;
}

/** State of an agent and its machine, as `decideMachine` reads it. */
export interface MachineLook {
  readonly desiredRole: AgentRole | null;
  /** Time since which that role is desired. */
  readonly desiredSinceMs: number;
  readonly online: boolean;
  /** Role that the agent reports. */
  readonly ownRole: AgentRole | null;
  /** Last request, its time, and the number of requests in a row without success; null: none yet. */
  readonly asked: { readonly want: "on" | "off"; readonly atMs: number; readonly attempts: number } | null;
  /** Time at which it last failed to come; null: never, or it has come since. */
  readonly failedAtMs: number | null;
}
