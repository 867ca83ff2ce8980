import type { AgentRole } from "#protocol/messages.ts";

/** One answered request, as the traffic record and the metrics see it. */
export interface ServedRequest {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  /** The tenant that is charged. */
  readonly tenant: string;
  readonly texts: number;
  readonly tokens: number;
  /** Time from the request's arrival to its answer. */
  readonly latencyMs: number;
  /** The request's share of inference time. */
  readonly computeMs: number;
}

/** Records requests. */
export interface TrafficSink {
  recordServed(request: ServedRequest): void;
  /** Counts a request that failed on this side. */
  recordError(): void;
  /** Counts a refused request: queue full, standby, draining. */
  recordRejected(): void;
}

/** Limits a model's batches to the board's capacity: a simulated board paces them, a real one lets all through at once. */
export interface ComputeGate {
  /** Resolves when the board has capacity for `texts` more texts; rejects when `signal` aborts. */
  enter(texts: number, signal?: AbortSignal): Promise<void>;
  /** False where batches are never delayed. Default: true. */
  holds?(): boolean;
}

export const openGate: ComputeGate = { enter: () => Promise.resolve(), holds: () => false };

/** One of the checks of `/health`. */
export interface HealthCheck {
  /** "unused" counts as healthy. */
  readonly status: "healthy" | "degraded" | "unused";
  readonly detail: string;
}

export interface ServingPeer {
  readonly agentId: string;
  readonly url: string;
}

/** The agent's place in the fleet. */
export interface RoleView {
  readonly role: AgentRole;
  /** Active agents of the fleet other than this one. */
  servingPeers(): readonly ServingPeer[];
}
