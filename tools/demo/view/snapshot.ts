import type { TrainingOutcome, TrainingStatus } from "#forecast/night/training-status.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import type { DemoScale } from "#tools/demo/fleet/plan-scale.ts";
import type { Service } from "#tools/demo/traffic/service-record.ts";
import type { RoutePrices } from "#tools/mesh/reference-offers.ts";

/** State of an agent. Rates are texts per second of the fleet's clock. */
export interface AgentSnapshot {
  readonly agentId: string;
  readonly board: string;
  readonly online: boolean;
  readonly role: string;
  readonly powerMode: string | null;
  readonly watts: number | null;
  readonly qps: number | null;
  /** Capacity in the present mode: as the board's profile states it, and as the agent measured it (null: not yet). */
  readonly profileQps: number | null;
  readonly measuredQps: number | null;
  /** The highest rate that the agent itself forecasts for the next 15 minutes. */
  readonly forecastPeakQps: number | null;
  /** Share of all requests that it answered, 0 to 1; null: no request yet. */
  readonly share: number | null;
}

/** Capacity that an agent measured in a mode, beside the one that its board's profile states. */
export interface CapacityFound {
  readonly agentId: string;
  readonly modeName: string;
  readonly measuredQps: number;
  readonly profileQps: number;
}

/** An act of the demo. */
export interface Act {
  readonly fromMs: number;
  readonly toMs: number;
  /** Share of the speed that their profiles state at which the boards compute. */
  readonly boardSpeed: number;
  readonly service: Service;
}

/** Result of an agent's training of a forecasting model. */
export interface TrainingSummary extends TrainingOutcome {
  readonly agentId: string;
}

/** An agent that trained nothing, and why. */
export interface TrainingAwaited {
  readonly agentId: string;
  readonly reason: string;
}

/** State of an agent's training of its own forecasting model. */
export interface TrainingSnapshot {
  readonly agentId: string;
  readonly state: TrainingStatus["state"];
  readonly reason: string;
  /** Epoch of the current training; null without one. */
  readonly epoch: number | null;
  readonly loss: number | null;
  readonly last: TrainingOutcome | null;
  /** True if a model that this agent trained forecasts its traffic. */
  readonly servesOwnModel: boolean;
}

/** A decision that changed something, or was an operator's. */
export interface DecisionSummary {
  readonly atMs: number;
  readonly kind: string;
  readonly reason: string;
  readonly activated: readonly string[];
  readonly stoodBy: readonly string[];
}

export interface EnergyAndCost {
  readonly energyKwh: number;
  /** Cost of electricity, of owning the devices, and of what offers answered. */
  readonly costUsd: number;
  readonly energyUsd: number;
  /** Cost of owning the devices, on or off. */
  readonly amortisationUsd: number;
  /** Price of the requests that places outside the fleet answered. */
  readonly offersUsd: number;
}

/** Use that a tenant made of a model, and its price. */
export interface TenantCost {
  readonly tenant: string;
  readonly model: string;
  readonly requests: number;
  /** Energy above idle, and the boards' time in which they computed for it. */
  readonly activeKwh: number;
  readonly boardHours: number;
  /** Price of both, and of what offers answered. */
  readonly boardsUsd: number;
  readonly offersUsd: number;
}

/** Costs by who pays them. */
export interface PaidBy {
  /** The dearest first. */
  readonly tenants: readonly TenantCost[];
  /** Cost of the boards that nobody used. */
  readonly idleUsd: number;
}

export interface CostView {
  readonly run: EnergyAndCost;
  /** The same time with every agent on in its most capable mode. */
  readonly reference: EnergyAndCost;
}

export interface TrafficCounts {
  readonly requests: number;
  readonly errors: number;
  readonly retries: number;
  readonly latencyMs: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
}

/** Requests that one backend of the mesh answered by one rule. */
export interface RouteCount {
  readonly backend: string;
  readonly kind: keyof RoutePrices;
  readonly reason: string;
  readonly requests: number;
}

/** Routes of all requests, as the entry counted them. */
export interface RoutesView {
  /** The most requests first. */
  readonly routes: readonly RouteCount[];
  /** Attempts of clients that nobody answered. */
  readonly refused: number;
  /** Attempts of the mesh beyond the first of a request. */
  readonly extraAttempts: { readonly retry: number; readonly hedge: number };
  /** Their price, at boards as slow as the demo's. */
  readonly usd: number;
}

/** All that the terminal view shows at one moment. */
export interface DemoSnapshot {
  /** Address of the controller's page, and the key to log in with. */
  readonly page: string;
  readonly clockMs: number;
  readonly speed: number;
  /** Real seconds since the traffic began, and for the whole window. */
  readonly elapsedS: number;
  readonly windowS: number;
  /** Replayed share of the trace's window, 0 to 1. */
  readonly progress: number;
  readonly scale: DemoScale;
  /** Start of the traffic on the fleet's clock. */
  readonly fromMs: number;
  /** Current rate of requests, a real second. */
  readonly sentQps: number;
  readonly traffic: TrafficCounts;
  readonly routes: RoutesView;
  readonly agents: readonly AgentSnapshot[];
  /** The controller's forecast of the fleet's traffic. */
  readonly forecast: { readonly peakQps: number; readonly model: string } | null;
  readonly trainings: readonly TrainingSnapshot[];
  /** Acts so far; the last one is under way. */
  readonly acts: readonly Act[];
  /** Accuracy of the controller's forecasts; null: not known yet. */
  readonly accuracy: ForecastAccuracy | null;
  readonly cost: CostView | null;
  /** Oldest first. */
  readonly decisions: readonly DecisionSummary[];
}
