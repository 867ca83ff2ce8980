import type { AgentRole } from "#protocol/messages.ts";

/** One answered request, as the traffic record and the metrics see it. */
export interface ServedRequest {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  /** Whose request it was. */
  readonly tenant: string;
  readonly texts: number;
  readonly tokens: number;
  /** From the request's arrival to its answer. */
  readonly latencyMs: number;
  /** The request's share of inference time. */
  readonly computeMs: number;
}

/** Where serving reports what it did. */
export interface TrafficSink {
  recordServed(request: ServedRequest): void;
  /** A request that failed for a reason on our side. */
  recordError(): void;
  /** A request turned away: queue full, standby, draining. */
  recordRejected(): void;
}

/** Lets the board's capacity hold a model's batches back: a simulated board paces them, a real one lets all through at once. */
export interface ComputeGate {
  /** Resolves when the board may work on `texts` more texts; rejects when `signal` aborts. */
  enter(texts: number, signal?: AbortSignal): Promise<void>;
  /** False where nothing is ever held back. Default: true. */
  holds?(): boolean;
}

export const openGate: ComputeGate = { enter: () => Promise.resolve(), holds: () => false };

/** One of the parts that `/health` speaks of. */
export interface HealthCheck {
  /** "unused" is as good as "healthy". */
  readonly status: "healthy" | "degraded" | "unused";
  readonly detail: string;
}

export interface ServingPeer {
  readonly agentId: string;
  readonly url: string;
}

/** What serving needs to know of the agent's place in the fleet. */
export interface RoleView {
  readonly role: AgentRole;
  /** Active agents of the fleet other than this one. */
  servingPeers(): readonly ServingPeer[];
}
