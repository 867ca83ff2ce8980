import type { MissedSlo } from "./felt-load.ts";

/** Rate that the coming minutes ask for, texts per second, with where it comes from. */
export interface DemandBasis {
  readonly source: "forecast" | "live";
  readonly qps: number;
  /** Upper bound of the peak, where it is above the forecast path. */
  readonly upperQps: number | null;
  readonly hasForecast: boolean;
}

/** Rule by which a mode was chosen, and the figures it rests on; `mode` is the name of the mode that the rule speaks of. */
export type PowerModeGrounds =
  | { readonly rule: "no-modes" | "standby" | "service-started" | "no-rate" }
  | { readonly rule: "held" | "configured" | "configured-mode-unknown"; readonly mode: string }
  /** The present mode is kept, or a cheaper one is taken. */
  | { readonly rule: "carries"; readonly mode: string; readonly demand: DemandBasis }
  /** The present mode, if it is known, carries too little. */
  | { readonly rule: "needs"; readonly mode: string; readonly demand: DemandBasis }
  | { readonly rule: "near-limit"; readonly mode: string; readonly demand: DemandBasis }
  | {
      readonly rule: "saves-too-little";
      readonly mode: string;
      readonly demand: DemandBasis;
      readonly savedJ: number;
      readonly costJ: number;
      readonly windowS: number;
    }
  | {
      readonly rule: "no-switches-left";
      readonly mode: string;
      readonly demand: DemandBasis;
      readonly switchesInLastDay: number;
    }
  | { readonly rule: "dwell"; readonly mode: string; readonly demand: DemandBasis; readonly dwellMs: number }
  /** Users are refused or wait too long: at least the next more capable mode; after a step down, the mode from before it. */
  | { readonly rule: "slo-missed" | "step-down-failed"; readonly mode: string; readonly missed: MissedSlo }
  /** Users were refused or waited too long a while ago, or the last step down had that effect: the present mode is kept. */
  | { readonly rule: "slo-missed-lately"; readonly mode: string; readonly missedForMs: number; readonly calmMs: number }
  | { readonly rule: "held-off"; readonly mode: string; readonly leftMs: number };

/** Mode that the policy chooses before heat and caps, by its place in the list. */
export interface PowerModeChoice {
  readonly index: number;
  readonly grounds: PowerModeGrounds;
}

const isKnown = (rate: number | null): rate is number => rate !== null && Number.isFinite(rate);

/** Returns a rate, or null for one that is unknown, infinite or NaN. */
export const finiteOrNull = (rate: number | null): number | null => (isKnown(rate) ? rate : null);

/** Returns the highest of the known rates. */
export const highestOf = (rate: number, ...others: readonly (number | null)[]): number =>
  Math.max(rate, ...others.filter(isKnown));
