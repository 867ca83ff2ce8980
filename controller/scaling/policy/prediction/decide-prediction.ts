import type { PredictionInput, QuantileForecast } from "./prediction-rules.ts";

export type PredictionLimit = "tolerance" | "scale-up-factor" | "reactive-need" | "minimum" | "maximum";

/** Highest rate of the quantile that counts. */
export interface PredictedPeak {
  readonly qps: number;
  readonly inS: number;
  readonly level: number;
}

/** Reason why no forecast counts. */
export type PredictionGap = "no-forecast" | "old-forecast" | "uncertain" | "no-step" | "no-rate";

export interface PredictionDecision {
  /** peak: by the forecast's peak; else no forecast counts. */
  readonly rule: "peak" | PredictionGap;
  /** Number of replicas there should be; never fewer than the present load needs, as far as the maximum allows. */
  readonly replicas: number;
  /** Number that the forecast alone asks for, unlimited; null when no forecast counts. */
  readonly need: number | null;
  readonly peak: PredictedPeak | null;
  readonly limitedBy: readonly PredictionLimit[];
  /** Seconds ahead at which the forecast lacks a rate, by the rule no-rate; null otherwise. */
  readonly noRateInS: number | null;
}

/** Limit of a need: anything beyond it is a mistake in the figures. */
const replicaLimit = 1_000_000;

type Gap = { readonly rule: PredictionGap; readonly noRateInS: number | null };

/** Returns the peak of the lowest quantile that is sure enough, or why there is none. */
function confidentPeak(forecast: QuantileForecast | null, policy: PredictionInput["policy"]): PredictedPeak | Gap {
  const { confidence, leadS, horizonS, maxAgeS } = policy;
  const gap = (rule: PredictionGap, noRateInS: number | null = null): Gap => ({ rule, noRateInS });
  if (forecast === null) return gap("no-forecast");
  const { ageS, stepS, quantiles } = forecast;
  if (ageS > maxAgeS) return gap("old-forecast");
  const sure = quantiles
    .filter(({ level, coverage }) => Math.min(level, coverage ?? level) > confidence)
    .toSorted((a, b) => a.level - b.level)[0];
  if (sure === undefined) return gap("uncertain");
  const steps = sure.qps
    .map((value, step) => ({ value, inS: step * stepS - ageS }))
    .filter(({ inS }) => inS >= leadS && inS <= horizonS);
  let peak: PredictedPeak | null = null;
  for (const { value, inS } of steps) {
    if (value === null || !Number.isFinite(value) || value < 0) return gap("no-rate", inS);
    if (peak === null || value > peak.qps) peak = { qps: value, inS, level: sure.level };
  }
  return peak ?? gap("no-step");
}

/**
 * Decides how many replicas the forecast asks for: ceil(peak / (capacity × target utilisation)) of the calibrated quantile above the
 * confidence, over the steps at least `leadS` ahead (nothing that starts now is ready sooner). A change within the tolerance is not acted
 * on, one decision adds at most `maxScaleUpFactor`, and there are never fewer than the present load needs.
 */
export function decidePrediction(input: PredictionInput): PredictionDecision {
  const { policy, currentReplicas, reactiveNeed, forecast } = input;
  const { minReplicas, maxReplicas, capacityPerReplicaQps, targetUtilization, tolerance, maxScaleUpFactor } = policy;
  const limitedBy: PredictionLimit[] = [];
  const pass = (before: number, after: number, limit: PredictionLimit) => {
    if (after !== before) limitedBy.push(limit);
    return after;
  };
  const clamp = (value: number) => {
    const upper = pass(value, Math.min(value, maxReplicas), "maximum");
    return pass(upper, Math.max(upper, minReplicas), "minimum");
  };
  const peak = confidentPeak(forecast, policy);
  if ("rule" in peak) {
    const replicas = clamp(Math.max(reactiveNeed, currentReplicas));
    return { ...peak, replicas, need: null, peak: null, limitedBy };
  }
  const need = Math.min(Math.ceil(peak.qps / (capacityPerReplicaQps * targetUtilization)), replicaLimit);
  const isSmall = Math.abs(need - currentReplicas) <= tolerance * currentReplicas;
  const tolerated = pass(need, isSmall ? currentReplicas : need, "tolerance");
  const maxStep = Math.max(currentReplicas + 1, Math.floor(currentReplicas * maxScaleUpFactor));
  const stepped = pass(tolerated, Math.min(tolerated, maxStep), "scale-up-factor");
  const replicas = clamp(pass(stepped, Math.max(stepped, reactiveNeed), "reactive-need"));
  return { rule: "peak", replicas, need, peak, limitedBy, noRateInS: null };
}
