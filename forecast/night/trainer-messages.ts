import type { EpochReport } from "#forecast/lstm/train-lstm.ts";
import type { PromotionDecision } from "./decide-promotion.ts";

/** What a training process is told. */
export type TrainerOrder = { readonly kind: "rest" } | { readonly kind: "go-on" };

/** What it says. After "done" and "failed" it ends. */
export type TrainerMessage =
  | { readonly kind: "resumed"; readonly epoch: number }
  /** What an epoch left could not be kept: an interruption would cost it. */
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
