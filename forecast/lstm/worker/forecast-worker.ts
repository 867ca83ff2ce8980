import type { Backend } from "#forecast/lstm/tensorflow.ts";

export type ForecastWorkerState =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting" }
  | {
      readonly kind: "ready";
      readonly backend: Backend;
      readonly reason: string;
      /** Cause for which another model serves than the configured one; null: it doesn't. */
      readonly problem: string | null;
      readonly pid: number;
    }
  /** It restarts by itself after a while. */
  | { readonly kind: "lost"; readonly reason: string };

/** Runs the network where it delays no request. */
export interface ForecastWorker {
  start(): void;
  stop(): Promise<void>;
  state(): ForecastWorkerState;
  /**
   * @param features 60 × 5 numbers.
   * @returns the 15 outputs.
   * @throws Error when the worker is not ready, is lost, fails or exceeds its time limit.
   */
  run(features: Float32Array): Promise<Float32Array>;
}

/** Request to the forecasting process: one window's features, 60 × 5. */
export interface ForecastRequest {
  readonly id: number;
  readonly features: Float32Array;
}

/** Messages from the forecasting process. After "unusable" it ends. */
export type WorkerMessage =
  | {
      readonly kind: "ready";
      readonly backend: Backend;
      readonly reason: string;
      readonly problem: string | null;
      readonly loadMs: number;
    }
  | { readonly kind: "unusable"; readonly reason: string }
  | { readonly kind: "outputs"; readonly id: number; readonly outputs: Float32Array }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string };
