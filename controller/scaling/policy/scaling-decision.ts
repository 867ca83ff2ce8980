import type { PredictionDecision } from "./prediction/decide-prediction.ts";
import type { ScheduleDecision } from "./schedules/decide-schedules.ts";
import type { TriggerDecision } from "./triggers/decide-triggers.ts";

/** Limits between what the demand asks for and what is done, in the order in which they apply. */
export type ScalingLimit =
  | "stabilisation"
  | "growth-rate"
  | "shrink-rate"
  | "schedule-floor"
  | "schedule-ceiling"
  | "minimum"
  | "maximum"
  | "missing-data"
  | "pause"
  | "warm-up"
  | "freeze";

export interface LimitStep {
  readonly by: ScalingLimit;
  readonly from: number;
  readonly to: number;
}

/** Gap in the figures, because of which no capacity is removed. */
export type DataGap = "silent-agents" | "no-rate" | "failed-trigger" | "no-forecast";
/** Reason why nothing may be taken away, or added. */
export type ScalingHold = "frozen" | "warming-up" | "paused" | DataGap;

/** Number of replicas that a policy decides on, and everything that it rests on. */
export interface ScalingDecision {
  readonly kind: "hold" | "scale-out" | "scale-in";
  readonly policy: string;
  /** True outside of preview; in preview the decision is recorded, not acted on. */
  readonly acts: boolean;
  readonly replicas: number;
  /** Bounds between which another rule (the fleet's plan) may choose. */
  readonly floor: number;
  readonly ceiling: number;
  /** Need of the present load and the triggers; null when neither is known. */
  readonly reactiveNeed: number | null;
  /** Need of the forecast; null when none counts. */
  readonly predictiveNeed: number | null;
  /** The higher of both, before any limit: to be recorded for stabilisation. */
  readonly wanted: number | null;
  /** True when load, triggers or forecast count; false where only schedules do. */
  readonly followsDemand: boolean;
  /** Null when replicas may be taken away, or added. */
  readonly scaleInHeld: ScalingHold | null;
  readonly scaleOutHeld: ScalingHold | null;
  readonly gap: DataGap | null;
  readonly limitedBy: readonly LimitStep[];
  /** Number that each rule asks for, and its figures. */
  readonly proposals: {
    readonly load: { readonly qps: number; readonly replicas: number } | null;
    readonly triggers: TriggerDecision | null;
    readonly prediction: PredictionDecision | null;
    readonly schedules: ScheduleDecision;
  };
}
