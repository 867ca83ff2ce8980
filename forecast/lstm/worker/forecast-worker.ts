import type { Backend } from "#forecast/lstm/tensorflow.ts";

export type ForecastWorkerState =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting" }
  | {
      readonly kind: "ready";
      readonly backend: Backend;
      readonly reason: string;
      /** Why another model serves than was asked for; null: it doesn't. */
      readonly problem: string | null;
      readonly pid: number;
    }
  /** It is started again by itself after a while. */
  | { readonly kind: "lost"; readonly reason: string };

/** Runs the network somewhere where it holds nobody up. */
export interface ForecastWorker {
  start(): void;
  stop(): Promise<void>;
  state(): ForecastWorkerState;
  /**
   * @param features 60 × 5 numbers.
   * @returns the 15 outputs.
   * @throws Error when the worker is not ready, is lost, fails or takes longer than its time limit.
   */
  run(features: Float32Array): Promise<Float32Array>;
}
