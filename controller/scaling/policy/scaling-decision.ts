import type { PredictionDecision } from "./prediction/decide-prediction.ts";
import type { ScheduleDecision } from "./schedules/decide-schedules.ts";
import type { TriggerDecision } from "./triggers/decide-triggers.ts";

/** What can stand between what the demand asks for and what is done, in the order in which it is asked. */
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

/** What a policy decides: how many replicas, and everything that went into it. */
export interface ScalingDecision {
  readonly kind: "hold" | "scale-out" | "scale-in";
  readonly policy: string;
  /** False in preview: what is decided is recorded, not done. */
  readonly acts: boolean;
  readonly replicas: number;
  /** Between these bounds another rule (the fleet's plan) may choose. */
  readonly floor: number;
  readonly ceiling: number;
  /** What the present load and the triggers need; null when neither is known. */
  readonly reactiveNeed: number | null;
  /** What the forecast needs; null when none counts. */
  readonly predictiveNeed: number | null;
  /** The higher of both, before any limit: to be recorded for stabilisation. */
  readonly wanted: number | null;
  /** Why nothing may be taken away, or added; null when it may. */
  readonly scaleInHeld: string | null;
  readonly scaleOutHeld: string | null;
  readonly limitedBy: readonly LimitStep[];
  /** What each rule said. */
  readonly proposals: {
    readonly load: { readonly replicas: number; readonly reason: string } | null;
    readonly triggers: TriggerDecision | null;
    readonly prediction: PredictionDecision | null;
    readonly schedules: ScheduleDecision;
  };
  readonly reason: string;
}
