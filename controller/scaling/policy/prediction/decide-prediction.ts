import { count, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import type { PredictionInput, QuantileForecast } from "./prediction-rules.ts";

export type PredictionLimit = "tolerance" | "scale-up-factor" | "reactive-need" | "minimum" | "maximum";

export interface PredictionDecision {
  /** How many replicas there should be; never fewer than the present load needs, as far as the maximum allows. */
  readonly replicas: number;
  /** What the forecast alone asks for, unlimited; null when no forecast counts. */
  readonly need: number | null;
  readonly peak: { readonly qps: number; readonly inS: number; readonly level: number } | null;
  readonly limitedBy: readonly PredictionLimit[];
  readonly reason: string;
}

/** A need beyond this is no need but a mistake in the figures. */
const mostReplicas = 1_000_000;

type Peak = NonNullable<PredictionDecision["peak"]>;

/** The peak of the lowest quantile that is sure enough, or why there is none. */
function confidentPeak(forecast: QuantileForecast | null, policy: PredictionInput["policy"]): Peak | string {
  const { confidence, leadS, horizonS, maxAgeS } = policy;
  if (forecast === null) return "there is no forecast";
  const { ageS, stepS, quantiles } = forecast;
  if (ageS > maxAgeS) return `the forecast is ${Math.round(ageS)} s old, more than ${maxAgeS} s`;
  const sure = quantiles
    .filter(({ level, coverage }) => Math.min(level, coverage ?? level) > confidence)
    .toSorted((a, b) => a.level - b.level)[0];
  if (sure === undefined) {
    const levels = quantiles.map(
      ({ level, coverage }) => `${level}${coverage === undefined ? "" : ` (held ${coverage})`}`,
    );
    return `no quantile of the forecast is above the confidence of ${confidence}: ${levels.join(", ")}`;
  }
  const steps = sure.qps
    .map((value, step) => ({ value, inS: step * stepS - ageS }))
    .filter(({ inS }) => inS >= leadS && inS <= horizonS);
  if (steps.length === 0) return `the forecast has no step from ${leadS} to ${horizonS} s ahead`;
  let peak: Peak | null = null;
  for (const { value, inS } of steps) {
    if (value === null || !Number.isFinite(value) || value < 0) return `the forecast has no rate for ${inS} s ahead`;
    if (peak === null || value > peak.qps) peak = { qps: value, inS, level: sure.level };
  }
  return peak ?? "the forecast is empty";
}

/**
 * How many replicas the forecast asks for: ceil(peak / (capacity × target utilisation)) of the calibrated quantile above the confidence, over
 * the steps at least `leadS` ahead (nothing that starts now is ready sooner). A change within the tolerance is not acted on, one decision
 * adds at most `maxScaleUpFactor`, and never are there fewer than the present load needs.
 */
export function decidePrediction({
  policy,
  currentReplicas,
  reactiveNeed,
  forecast,
}: PredictionInput): PredictionDecision {
  const { minReplicas, maxReplicas, capacityPerReplicaQps, targetUtilization, tolerance, maxScaleUpFactor } = policy;
  const limitedBy: PredictionLimit[] = [];
  const pass = (before: number, after: number, limit: PredictionLimit) => {
    if (after !== before) limitedBy.push(limit);
    return after;
  };
  const clamp = (value: number) => {
    const atMost = pass(value, Math.min(value, maxReplicas), "maximum");
    return pass(atMost, Math.max(atMost, minReplicas), "minimum");
  };
  const peak = confidentPeak(forecast, policy);
  if (typeof peak === "string") {
    const replicas = clamp(Math.max(reactiveNeed, currentReplicas));
    return { replicas, need: null, peak: null, limitedBy, reason: `${peak}: no fewer than now, ${replicas}` };
  }
  const need = Math.min(Math.ceil(peak.qps / (capacityPerReplicaQps * targetUtilization)), mostReplicas);
  const isSmall = Math.abs(need - currentReplicas) <= tolerance * currentReplicas;
  const tolerated = pass(need, isSmall ? currentReplicas : need, "tolerance");
  const most = Math.max(currentReplicas + 1, Math.floor(currentReplicas * maxScaleUpFactor));
  const stepped =
    tolerated > currentReplicas ? pass(tolerated, Math.min(tolerated, most), "scale-up-factor") : tolerated;
  const replicas = clamp(pass(stepped, Math.max(stepped, reactiveNeed), "reactive-need"));
  const limits = limitedBy.length === 0 ? "" : `; ${replicas} by ${limitedBy.join(", ")}`;
  const sureness = `with ${Number((peak.level * 100).toPrecision(3))} % no more than ${qps(peak.qps)} qps in ${Math.round(peak.inS)} s`;
  return { replicas, need, peak, limitedBy, reason: `${sureness}, which needs ${count(need, "replica")}${limits}` };
}
