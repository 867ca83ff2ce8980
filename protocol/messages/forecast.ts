import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, record, TimeMs, text } from "../bounds.ts";
import { described, Qps, Share } from "./fields.ts";

/** Figures about forecasts, in percent of the actual traffic: of next to nothing they may be large. */
const Percent = amount(1e9);
const path = (description: string) => Type.Array(Qps, { minItems: 1, maxItems: 240, description });
const quantile = (share: string) => described(Qps, `${share} quantile, texts/s`);

export const ForecastReport = Type.Object(
  {
    madeAtMs: described(TimeMs, "when it was made"),
    model: described(text(64), "forecaster that made it: `lstm`, or the simple one that took its place"),
    reason: described(text(512), "reason for this one, for people to read"),
    stepMs: Type.Integer({ minimum: 1, maximum: bounds.durationMs, description: "length of a step" }),
    qps: path("median rate of each coming step, texts/s (a request of ten texts counts ten)"),
    qps90: Type.Optional(path("0.9 quantile of each step, texts/s; absent until enough has been learnt")),
    qps95: Type.Optional(path("0.95 quantile of each step, texts/s; absent until enough has been learnt")),
    peakQps: Type.Optional(
      Type.Object(
        { q50: quantile("0.5"), q90: quantile("0.9"), q95: quantile("0.95") },
        {
          ...strict,
          description:
            "quantiles of the highest coming step, which capacity is planned for: the maximum of the median path is nearly always too low",
        },
      ),
    ),
    shares: Type.Optional({
      ...record(64, Share, 64),
      description: "weights of the forecasters averaged in the path",
    }),
  },
  strict,
);
export type ForecastReport = Static<typeof ForecastReport>;

/** Accuracy of the forecasts of a stretch of time. */
export const ForecastAccuracy = Type.Object(
  {
    windowMs: Type.Integer({ minimum: 1, maximum: 400 * bounds.durationMs, description: "length of the period" }),
    forecasts: described(count(bounds.count32), "forecasts that were compared with the actual traffic"),
    wapePercent: orNull(Percent, "100 × sum of |forecast − actual| / sum of actual, over all steps; null: no traffic"),
    biasPercent: orNull(
      Type.Number({ minimum: -1e9, maximum: 1e9 }),
      "the same with its sign: positive if the forecast was too high; null: no traffic",
    ),
    peakWapePercent: orNull(Percent, "as wapePercent, for the highest step of each forecast; null: no traffic"),
    coverage95: orNull(Share, "share of peaks within their 0.95 quantile; null: no quantiles"),
    rises: described(
      count(bounds.count32),
      "rises that called for more capacity: a quarter above the present rate, and more than noise",
    ),
    hits: described(count(bounds.count32), "rises that were forecast"),
    misses: described(count(bounds.count32), "rises that were not"),
    falseAlarms: described(count(bounds.count32), "rises that were forecast but did not happen"),
    hitRate: orNull(Share, "hits / rises; null: no rise"),
    missRate: orNull(Share, "misses / rises; null: no rise"),
    falseAlarmRate: orNull(Share, "falseAlarms / alarms; null: no alarm"),
    medianLeadMinutes: orNull(amount(1e6), "from the first warning to the rise, over the hits; null: no hit"),
    served: { ...record(64, count(bounds.count32), 64), description: "forecasts by the forecaster that made them" },
  },
  strict,
);
export type ForecastAccuracy = Static<typeof ForecastAccuracy>;
