/** A model's error on the newest part of the record, which the new model never saw. */
export interface HeldOutError {
  readonly wapePercent: number | null;
  /** Forecasts that were judged. */
  readonly forecasts: number;
}

export interface PromotionSituation {
  readonly candidate: HeldOutError;
  /** null: the model in service can't be loaded. */
  readonly incumbent: HeldOutError | null;
  /** The least error of the simple forecasts on the same part. */
  readonly simpleWapePercent: number | null;
}

export interface PromotionDecision {
  readonly kind: "promote" | "keep";
  readonly reason: string;
}

/** A new model must err less than the one in service by this factor: an equal is not worth a change. */
const decisiveFactor = 0.99;
/** No verdict on fewer held-out forecasts. */
export const minForecasts = 30;

const percent = (value: number | null) => (value === null ? "-" : `${value.toFixed(2)} %`);

/** Whether a newly trained model takes the place of the one in service: only if it wins where neither has learnt. */
export function decidePromotion({ candidate, incumbent, simpleWapePercent }: PromotionSituation): PromotionDecision {
  const own = candidate.wapePercent;
  if (candidate.forecasts < minForecasts) {
    return { kind: "keep", reason: `${candidate.forecasts} of ${minForecasts} forecasts to judge it by` };
  }
  if (own === null || !Number.isFinite(own)) return { kind: "keep", reason: "its error can't be told: nothing came" };
  if (incumbent === null) {
    const wins = simpleWapePercent === null || own < simpleWapePercent;
    const than = `the best simple forecast's ${percent(simpleWapePercent)}`;
    return {
      kind: wins ? "promote" : "keep",
      reason: `the model in service can't be loaded; the new one's WAPE is ${percent(own)}, ${than}`,
    };
  }
  const other = incumbent.wapePercent;
  const compared = `WAPE ${percent(own)} against ${percent(other)} of the model in service on ${candidate.forecasts} held-out forecasts`;
  if (other !== null && Number.isFinite(other) && own >= decisiveFactor * other) {
    return { kind: "keep", reason: `${compared}: not better by 1 %` };
  }
  return { kind: "promote", reason: compared };
}
