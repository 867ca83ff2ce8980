import { countToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { PredictionDecision, PredictionGap } from "./decide-prediction.ts";
import type { PredictionInput } from "./prediction-rules.ts";

type Rules = Pick<PredictionInput["policy"], "confidence" | "leadS" | "horizonS" | "maxAgeS">;

function explainGap(
  rule: PredictionGap,
  noRateInS: number | null,
  { confidence, leadS, horizonS, maxAgeS }: Rules,
  forecast: PredictionInput["forecast"],
): string {
  const levels = (forecast?.quantiles ?? []).map(
    ({ level, coverage }) => `${level}${coverage === undefined ? "" : ` (held ${coverage})`}`,
  );
  return {
    "no-forecast": "there is no forecast",
    "old-forecast": `the forecast is ${Math.round(forecast?.ageS ?? 0)} s old, more than ${maxAgeS} s`,
    uncertain: `no quantile of the forecast is above the confidence of ${confidence}: ${levels.join(", ")}`,
    "no-step": `the forecast has no step from ${leadS} to ${horizonS} s ahead`,
    "no-rate": `the forecast has no rate for ${noRateInS} s ahead`,
  }[rule];
}

export function explainPrediction(
  { rule, replicas, need, peak, limitedBy, noRateInS }: PredictionDecision,
  policy: Rules,
  forecast: PredictionInput["forecast"],
): string {
  if (rule !== "peak" || peak === null || need === null) {
    const why = rule === "peak" ? "no-forecast" : rule;
    return `${explainGap(why, noRateInS, policy, forecast)}: no fewer than now, ${replicas}`;
  }
  const limits = limitedBy.length === 0 ? "" : `; ${replicas} by ${limitedBy.join(", ")}`;
  const sureness = `with ${Number((peak.level * 100).toPrecision(3))} % at most ${qpsToText(peak.qps)} qps in ${Math.round(peak.inS)} s`;
  return `${sureness}, which needs ${countToText(need, "replica")}${limits}`;
}
