import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { chanceOfLuck, PairedErrors } from "./chance-of-luck.ts";

const percentOrNull = Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null });

/** A model's error on the newest part of the record, which the new model never saw. */
const HeldOutError = Type.Object(
  { wapePercent: percentOrNull, forecasts: Type.Integer({ minimum: 0, description: "number of forecasts judged" }) },
  { additionalProperties: false },
);
export type HeldOutError = ReadonlyStatic<typeof HeldOutError>;

export const PromotionSituation = Type.Object(
  {
    candidate: HeldOutError,
    incumbent: orNull(HeldOutError, "null: the model in service can't be loaded"),
    simpleWapePercent: { ...percentOrNull, description: "lowest error of the simple forecasts on the same part" },
    stretches: Type.Optional(
      Type.Array(PairedErrors, {
        maxItems: 100_000,
        description:
          "sums of the absolute errors of both models for each quarter of an hour of that part; omitted: chance is not ruled out",
      }),
    ),
  },
  { additionalProperties: false },
);
export type PromotionSituation = ReadonlyStatic<typeof PromotionSituation>;

export type PromotionDecision =
  | { readonly kind: "keep"; readonly rule: "too-few-forecasts"; readonly forecasts: number }
  | { readonly kind: "keep"; readonly rule: "no-error-measured" }
  | {
      readonly kind: "promote" | "keep";
      readonly rule: "incumbent-unusable";
      readonly wapePercent: number;
      readonly simpleWapePercent: number | null;
    }
  | {
      readonly kind: "promote" | "keep";
      readonly rule: "better" | "not-better";
      readonly wapePercent: number;
      readonly incumbentWapePercent: number | null;
      readonly forecasts: number;
    }
  | {
      readonly kind: "keep";
      readonly rule: "may-be-luck";
      readonly wapePercent: number;
      readonly incumbentWapePercent: number;
      readonly stretches: number;
      /** Probability that the new model is no better. */
      readonly chance: number;
    };

/** Ratio of errors below which a new model replaces the one in service: an equal is not worth a change. */
const decisiveFactor = 0.99;
/** Probability of a lucky win from which on the model in service stays. */
const maxChance = 0.05;
/** Stretches that rule out luck at least: that many wins in a row have a probability of 1 in 32. */
const minStretches = 5;
const seed = 1;
/** Held-out forecasts that a verdict needs. */
export const minForecasts = 30;

/** Promotes a newly trained model only if it wins on data that neither model was trained on. */
export function decidePromotion(situation: PromotionSituation): PromotionDecision {
  const { candidate, incumbent, simpleWapePercent, stretches } = situation;
  const { wapePercent, forecasts } = candidate;
  if (forecasts < minForecasts) return { kind: "keep", rule: "too-few-forecasts", forecasts };
  if (wapePercent === null || !Number.isFinite(wapePercent)) return { kind: "keep", rule: "no-error-measured" };
  if (incumbent === null) {
    const wins = simpleWapePercent === null || wapePercent < simpleWapePercent;
    return { kind: wins ? "promote" : "keep", rule: "incumbent-unusable", wapePercent, simpleWapePercent };
  }
  const incumbentWapePercent = incumbent.wapePercent;
  const loses =
    incumbentWapePercent !== null &&
    Number.isFinite(incumbentWapePercent) &&
    wapePercent >= decisiveFactor * incumbentWapePercent;
  const figures = { wapePercent, incumbentWapePercent, forecasts };
  if (loses) return { kind: "keep", rule: "not-better", ...figures };
  if (stretches !== undefined && incumbentWapePercent !== null) {
    const chance = stretches.length < minStretches ? 1 : chanceOfLuck(stretches, seed);
    if (chance >= maxChance) {
      return {
        kind: "keep",
        rule: "may-be-luck",
        wapePercent,
        incumbentWapePercent,
        stretches: stretches.length,
        chance,
      };
    }
  }
  return { kind: "promote", rule: "better", ...figures };
}
