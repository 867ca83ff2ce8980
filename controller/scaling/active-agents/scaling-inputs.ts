import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { AgentRole } from "#protocol/messages.ts";

const amountOrNull = (description: string) => orNull(Type.Number({ minimum: 0 }), description);

/** One agent as the decision sees it. */
const AgentCandidate = strictObject({
  agentId: Type.String({ minLength: 1 }),
  unavailable: orNull(Type.String(), "reason why it can't serve: offline, not ready, leaving; null: it can"),
  active: Type.Boolean({ description: "true: it is meant to serve" }),
  capacityQps: Type.Number({
    minimum: 0,
    description:
      "capacity it is counted on for in its most capable mode, texts per second: from its profile and its own measurement",
  }),
  profileQps: Type.Optional(amountOrNull("capacity in its board's profile; null: none")),
  measuredQps: Type.Optional(amountOrNull("capacity measured by the agent; null: none yet")),
  capacityConfidence: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, default: 0, description: "confidence in the measurement" }),
  ),
  energyUsdPerRequest: amountOrNull("electricity for one request in that mode"),
  wattsPerQps: amountOrNull("watts per request per second in that mode, for the explanation"),
  overrideRole: Type.Union([...AgentRole.anyOf, Type.Null()], { default: null, description: "set by an operator" }),
});
export type AgentCandidate = ReadonlyStatic<typeof AgentCandidate>;

const PeakAt = strictObject({ atMs: Type.Number(), peakQps: Type.Number({ minimum: 0 }) });
export type PeakAt = ReadonlyStatic<typeof PeakAt>;

const Slo = strictObject({
  rule: Type.Union(
    (["kept", "refused", "slow", "failed"] as const).map((rule) => Type.Literal(rule)),
    { description: "kept: the SLO is met; otherwise the worst violation" },
  ),
  demandQps: amountOrNull("rate to have capacity for, from what users experienced; null: no agent has reported"),
  starting: Type.Array(Type.String(), { default: [], description: "agents told to serve that do not yet" }),
});

/** Service that users felt in the last seconds, as decisions rest on it. */
export type SloInput = ReadonlyStatic<typeof Slo>;

/** The fleet as `decideActiveAgents` sees it. */
export const ScalingInputs = strictObject({
  warmUpEndsMs: Type.Number({ default: 0, description: "until then the controller only observes" }),
  observedSinceMs: Type.Number({ default: 0, description: "start of an uninterrupted record of peaks" }),
  liveQps: amountOrNull("the fleet's rate now; null: no agent has reported a minute"),
  forecastPeakQps: amountOrNull("highest rate forecast within the horizon"),
  missingData: Type.Array(Type.String(), {
    default: [],
    description: "agents meant to serve whose newest minutes are missing",
  }),
  recentPeaks: Type.Array(PeakAt, { default: [], description: "peaks of earlier decisions" }),
  candidates: Type.Array(AgentCandidate),
  heldUntilMs: Type.Optional(
    Type.Number({ description: "until then no capacity is removed, because that recently missed the SLO" }),
  ),
  slo: Type.Optional({ ...Slo, description: "what users experienced in the last seconds; absent: unknown" }),
});
export type ScalingInputs = ReadonlyStatic<typeof ScalingInputs>;

/** Figures that every decision rests on; they are stored with it. */
export interface ScalingFigures {
  readonly peakQps: number | null;
  /** Highest peak of the stabilisation window, this one included. */
  readonly windowPeakQps: number | null;
  readonly need: number;
  /** Agents needed for the highest peak of the window. */
  readonly windowNeed: number;
  readonly activeCount: number;
  readonly availableCount: number;
  /** Rate that the active agents carry at the target utilisation. */
  readonly carriedQps: number;
}

export type HoldRule =
  | "warming-up"
  | "no-agents"
  | "no-data"
  | "sufficient"
  | "within-tolerance"
  | "missing-data"
  | "stabilising"
  | "capacity"
  | "overloaded"
  | "slo-missed"
  | "held-off"
  | "plan"
  | "frozen";

/** Power mode that an agent is to hold. */
export interface ModeChange {
  readonly agentId: string;
  readonly mode: string;
}

/** Cost and quality of the fleet plan that a decision follows. */
export interface PlanSummary {
  readonly costUsd: number;
  /** Lower bound: no plan costs less; null when that is unknown. */
  readonly boundUsd: number | null;
  /** Distance of the cost from the bound, as a share; null when that is unknown. */
  readonly gap: number | null;
  readonly feasible: boolean;
  /** Number of devices that should serve or start now. */
  readonly devices: number;
  /** Explanation of the plan, a sentence per line; absent in a decision that is not explained yet. */
  readonly reasons?: readonly string[];
}

/** Units that are wanted of a cloud offer, and what starts them. */
export interface CloudTarget {
  readonly id: string;
  readonly units: number;
  /** Rate that they are to serve, texts per second. */
  readonly qps: number;
  /** agents: the units are agents, switched on and off; itself: requests reach it by themselves; none: it is only recorded. */
  readonly by: "agents" | "itself" | "none";
}

/** Circumstances of a scale-out by the plain rule. */
export interface ScaleOutCause {
  /** Agents that were lost and are replaced. */
  readonly replaced: readonly string[];
  readonly belowMinimum: boolean;
  /** Most agents that may serve after this step; null when that limits nothing. */
  readonly stepLimit: number | null;
  /** Rate that all agents together carry, when that is less than the peak; null otherwise. */
  readonly overloadedAtQps: number | null;
}

/** Figures of a reversal. */
export interface ReturnFigures {
  /** Changes that are reversed. */
  readonly kinds: readonly string[];
  /** Rate at which the error budget is used, and before the change; 1: as fast as is allowed. */
  readonly burn: number;
  readonly burnBefore: number;
  readonly afterMs: number;
  /** Time for which no capacity is removed now. */
  readonly holdOffMs: number;
}

interface Basis {
  readonly figures: ScalingFigures;
  /** Absent where nothing was reversed. */
  readonly returned?: ReturnFigures;
  /** Absent when no plan was followed. */
  readonly plan?: PlanSummary;
  /** Absent where no cloud offer is configured. */
  readonly cloud?: readonly CloudTarget[];
}

interface Change extends Basis {
  readonly activate: readonly string[];
  /** Agents that leave; of a scale-out those that are gone and were replaced, or that an operator put on standby. */
  readonly standBy: readonly string[];
  /** Modes of agents that serve from now on or go on serving. */
  readonly modes?: readonly ModeChange[];
}

export type ActiveAgentsDecision =
  | (Basis & { readonly kind: "hold"; readonly rule: HoldRule })
  | (Change & {
      readonly kind: "scale-out";
      readonly rule:
        | "peak"
        | "below-minimum"
        | "replacement"
        | "override"
        | "overloaded"
        | "slo-missed"
        | "returned"
        | "plan";
      /** Absent where a plan decided. */
      readonly cause?: ScaleOutCause;
    })
  | (Change & { readonly kind: "scale-in"; readonly rule: "peak" | "override" | "plan" })
  | (Change & { readonly kind: "change-modes"; readonly rule: "plan" | "slo-missed" | "returned" });

/** A decision that changes something. */
export type FleetChange = Exclude<ActiveAgentsDecision, { kind: "hold" }>;

/** A decision with its reason in a sentence, as it is recorded and shown. */
export type Explained<Decision> = Decision & { readonly reason: string };
