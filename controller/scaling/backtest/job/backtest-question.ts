import type { ScalingPolicy } from "../../policy/scaling-policy.ts";
import type { BacktestFleet } from "../backtest-fleet.ts";
import type { BacktestPolicyName } from "../run-backtest.ts";

/** Policy to play, under a name for people. */
export interface PlayedPolicy {
  readonly label: string;
  readonly policy: BacktestPolicyName | ScalingPolicy;
}

/** Message from the controller to a process that replays. */
export interface BacktestQuestion {
  readonly fleet: BacktestFleet;
  readonly startMs: number;
  /** Texts per second of each minute. */
  readonly rates: readonly number[];
  readonly policies: readonly PlayedPolicy[];
}

/** Figures of one policy. */
export interface PlayedResult {
  readonly label: string;
  readonly costUsd: number;
  readonly energyKwh: number;
  readonly sloMinutes: number;
  readonly lostTexts: number;
  readonly activations: number;
  readonly utilization: number;
  /** Capacity that served in each step, texts per second: the least of its minutes. */
  readonly capacityQps: readonly number[];
  /** Devices that were on, on average of each step. */
  readonly unitsOn: readonly number[];
}

export interface BacktestResult {
  readonly startMs: number;
  readonly stepMs: number;
  /** Highest rate of each step. */
  readonly demandQps: readonly number[];
  readonly results: readonly PlayedResult[];
}

/** Message back: progress as a share, and at the end the result or why there is none. */
export type BacktestAnswer =
  | { readonly progress: number }
  | { readonly result: BacktestResult }
  | { readonly failure: string };
