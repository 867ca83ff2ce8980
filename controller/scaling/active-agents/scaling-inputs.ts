import type { AgentRole } from "#protocol/messages.ts";

/** One agent as the decision sees it. */
export interface AgentCandidate {
  readonly agentId: string;
  /** Why it can't serve now (offline, not ready, leaving); null when it can. */
  readonly unavailable: string | null;
  /** Whether it is meant to serve as things stand. */
  readonly active: boolean;
  /** In its most capable mode, texts a second. */
  readonly capacityQps: number;
  /** Electricity for one request in that mode, US$; null when the board doesn't say. */
  readonly energyUsdPerRequest: number | null;
  /** Watts per request a second (= joules a request) in that mode, for people. */
  readonly wattsPerQps: number | null;
  /** An operator's word; null when there is none. */
  readonly overrideRole: AgentRole | null;
}

export interface PeakAt {
  readonly atMs: number;
  readonly peakQps: number;
}

export interface ScalingInputs {
  /** Until then the controller only listens. */
  readonly warmUpEndsMs: number;
  /** Since when peaks have been recorded without interruption. */
  readonly observedSinceMs: number;
  /** The fleet's rate now; null when no agent has reported a minute. */
  readonly liveQps: number | null;
  /** The highest rate that is forecast within the horizon; null without a forecast. */
  readonly forecastPeakQps: number | null;
  /** Agents that are meant to serve and whose newest minutes are not known. */
  readonly missingData: readonly string[];
  /** The peaks of earlier decisions. */
  readonly recentPeaks: readonly PeakAt[];
  readonly candidates: readonly AgentCandidate[];
}

/** The figures every decision rests on; they go with it. */
export interface ScalingFigures {
  readonly peakQps: number | null;
  /** The highest peak of the stabilisation window, this one included. */
  readonly windowPeakQps: number | null;
  readonly need: number;
  /** Agents needed for the highest peak of the window. */
  readonly windowNeed: number;
  readonly activeCount: number;
  readonly availableCount: number;
  /** What the active agents carry at the target utilisation. */
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
  | "plan"
  | "frozen";

/** The power mode that an agent is to hold. */
export interface ModeChange {
  readonly agentId: string;
  readonly mode: string;
}

/** Of the fleet plan that a decision follows. */
export interface PlanSummary {
  readonly costUsd: number;
  /** No plan costs less; null when that is not known. */
  readonly boundUsd: number | null;
  /** How far the cost may be from the least, as a share; null when that is not known. */
  readonly gap: number | null;
  readonly feasible: boolean;
  /** Devices that it wants to serve or start now. */
  readonly devices: number;
  readonly reasons: readonly string[];
}

/** What is wanted of a cloud offer, and who sees to it. */
export interface CloudWish {
  readonly id: string;
  readonly units: number;
  /** What they are to serve, texts a second. */
  readonly qps: number;
  /** agents: its units are agents, switched on and off; itself: requests find it by themselves; nobody: it is only said. */
  readonly by: "agents" | "itself" | "nobody";
}

interface Basis {
  readonly reason: string;
  readonly figures: ScalingFigures;
  /** Absent when no plan was followed. */
  readonly plan?: PlanSummary;
  /** Absent where no cloud offer is configured. */
  readonly cloud?: readonly CloudWish[];
}

export type ActiveAgentsDecision =
  | (Basis & { readonly kind: "hold"; readonly rule: HoldRule })
  | (Basis & {
      readonly kind: "scale-out";
      readonly rule: "peak" | "below-minimum" | "replacement" | "override" | "overloaded" | "plan";
      readonly activate: readonly string[];
      /** Agents that are gone and were replaced, or that an operator put on standby. */
      readonly standBy: readonly string[];
      /** Of those that serve from now on or go on. */
      readonly modes?: readonly ModeChange[];
    })
  | (Basis & {
      readonly kind: "scale-in";
      readonly rule: "peak" | "override" | "plan";
      readonly activate: readonly [];
      readonly standBy: readonly string[];
      readonly modes?: readonly ModeChange[];
    })
  | (Basis & {
      readonly kind: "change-modes";
      readonly rule: "plan";
      readonly activate: readonly [];
      readonly standBy: readonly [];
      readonly modes: readonly ModeChange[];
    });
