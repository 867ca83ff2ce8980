import type { AgentRole, RefusalCause, RoutedTraffic } from "#protocol/messages.ts";

/** One answered request, as the traffic record and the metrics see it. */
export interface ServedRequest {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  readonly tenant: string;
  readonly texts: number;
  readonly tokens: number;
  /** Time from the request's arrival to its answer. */
  readonly latencyMs: number;
  /** The request's share of inference time. */
  readonly computeMs: number;
  /** Texts whose vectors were in the cache. */
  readonly cachedTexts: number;
  /** Time that the request waited in the model's queue until its first batch was sent. */
  readonly queueMs: number;
  /** Texts that another agent or an offer computed. Default: none. */
  readonly sentTexts?: number;
  /** Kind of backend that computed `sentTexts`, and its price. */
  readonly route?: RoutePrice;
}

/** Kind of backend outside this agent that answered a request, and its price. */
export type RoutePrice = Pick<RoutedTraffic, "kind" | "usd">;

/** One request that another agent sent here: it is demand there, and work here. */
export type PeerWork = Omit<ServedRequest, "sentTexts" | "route">;

/** One request that was offered and got no vectors, other than by a fault of its own. */
export interface RefusedRequest {
  /** Id of the model that was asked for. */
  readonly model: string;
  readonly tenant: string;
  readonly texts: number;
  /** Estimated: the texts were not read. */
  readonly tokens: number;
  readonly cause: RefusalCause;
}

export interface TrafficSink {
  recordServed(request: ServedRequest): void;
  recordRefused(request: RefusedRequest): void;
  recordWork(work: PeerWork): void;
}

/** Limits a model's batches to the board's capacity: a simulated board paces them, a real one lets all through at once. */
export interface ComputeGate {
  /** Resolves when the board has capacity for `texts` more texts; rejects when `signal` aborts. */
  enter(texts: number, signal?: AbortSignal): Promise<void>;
  /** False where batches are never delayed. Default: true. */
  holds?(): boolean;
  /** Returns the time that the board's capacity takes for so many texts. Default: 0. */
  msFor?(texts: number): number;
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
