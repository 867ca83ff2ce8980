import type { Backend } from "#forecast/lstm/tensorflow.ts";

/** What a forecasting process is asked: one window's features, 60 × 5. */
export interface ForecastRequest {
  readonly id: number;
  readonly features: Float32Array;
}

/** What it says. After "unusable" it ends. */
export type WorkerMessage =
  | {
      readonly kind: "ready";
      readonly backend: Backend;
      readonly reason: string;
      /** Why another model serves than was asked for; null: it doesn't. */
      readonly problem: string | null;
      readonly loadMs: number;
    }
  | { readonly kind: "unusable"; readonly reason: string }
  | { readonly kind: "outputs"; readonly id: number; readonly outputs: Float32Array }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string };
