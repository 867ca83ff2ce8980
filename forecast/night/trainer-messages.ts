import type { LstmShapeName } from "#forecast/lstm/lstm-shapes.ts";
import type { EpochReport } from "#forecast/lstm/train-lstm.ts";
import type { PromotionDecision } from "./decide-promotion.ts";

export interface TrainerTask {
  readonly tracePath: string;
  /** Directory for the new model. */
  readonly outputDirectory: string;
  readonly checkpointPath: string;
  /** The model in service; null: the built-in one. */
  readonly incumbentDirectory: string | null;
  readonly units: LstmShapeName;
  readonly maxMs: number;
  readonly priority: "idle" | "normal";
  readonly timeZone: string;
  readonly holidays: readonly string[];
}

export type TrainerOrder = { readonly kind: "rest" } | { readonly kind: "go-on" };

/** Messages from a training process. After "done" and "failed" it ends. */
export type TrainerMessage =
  /** Trees fitted to the record, as they are kept. */
  | { readonly kind: "trees"; readonly text: string }
  /** They could not be fitted: the forecaster does it then. */
  | { readonly kind: "no-trees"; readonly reason: string }
  | { readonly kind: "resumed"; readonly epoch: number }
  /** The checkpoint could not be saved: an interruption would lose this epoch. */
  | { readonly kind: "unsaved"; readonly reason: string }
  | {
      readonly kind: "batch";
      readonly epoch: number;
      readonly batch: number;
      readonly batches: number;
      readonly loss: number;
    }
  | { readonly kind: "epoch"; readonly report: EpochReport; readonly rssBytes: number }
  | {
      readonly kind: "done";
      readonly decision: PromotionDecision;
      readonly durationS: number;
      readonly verdict: string;
    }
  | { readonly kind: "failed"; readonly reason: string };
