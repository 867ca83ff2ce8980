import { parseWindow, type TrainingDecision } from "./decide-night-training.ts";
import { minForecasts, type PromotionDecision } from "./decide-promotion.ts";

function windowToText(window: string): string {
  const { from, to } = parseWindow(window);
  return from === to ? "at any hour" : `within the window ${window}`;
}

const perKwh = (usd: number) => `${Number(usd.toFixed(4))} US$/kWh`;

export function explainNightTraining(decision: TrainingDecision): string {
  switch (decision.rule) {
    case "disabled":
      return "training on the device is off";
    case "outside-window":
      return decision.kind === "stop"
        ? `the window ${decision.window} has ended: training resumes in the next one`
        : `outside the window ${decision.window}`;
    case "requests-queued":
      return "requests are queued";
    case "within-window":
      return windowToText(decision.window);
    case "trained-recently":
      return "this night's training is done";
    case "short-record":
      return `${decision.recordedMinutes} of ${decision.neededMinutes} minutes recorded`;
    case "too-few-windows": {
      const { train, validation, test } = decision.windows;
      const parts = [train, validation, test];
      const [found, needed] = (["found", "needed"] as const).map((key) => parts.map((part) => part[key]).join(" + "));
      return `too little record without gaps: ${found} windows to train, validate and test, ${needed} needed`;
    }
    case "cheaper-hour": {
      const { nowUsdPerKwh, later } = decision;
      const at = new Date(later.startMs).toISOString().slice(0, 16).replace("T", " ");
      return `electricity is cheaper from ${at} UTC on, still within the window: ${perKwh(later.usdPerKwh)}, now ${perKwh(nowUsdPerKwh)}`;
    }
    case "due":
      return `${decision.recordedMinutes} minutes recorded, ${windowToText(decision.window)}`;
    default:
      return decision satisfies never;
  }
}

const percent = (value: number | null) => (value === null ? "-" : `${value.toFixed(2)} %`);

export function explainPromotion(decision: PromotionDecision): string {
  switch (decision.rule) {
    case "too-few-forecasts":
      return `only ${decision.forecasts} of ${minForecasts} forecasts to judge the new model by`;
    case "no-error-measured":
      return "the new model's error can't be measured: no traffic in the newest part of the record";
    case "incumbent-unusable":
      return `the model in service can't be loaded; the new one's WAPE is ${percent(decision.wapePercent)}, the best simple forecast's ${percent(decision.simpleWapePercent)}`;
    case "better":
    case "not-better": {
      const { wapePercent, incumbentWapePercent, forecasts } = decision;
      const compared = `WAPE ${percent(wapePercent)} against ${percent(incumbentWapePercent)} of the model in service on ${forecasts} held-out forecasts`;
      return decision.rule === "better" ? compared : `${compared}: not better by the required 1 %`;
    }
    case "may-be-luck": {
      const { wapePercent, incumbentWapePercent, stretches, chance } = decision;
      const compared = `WAPE ${percent(wapePercent)} against ${percent(incumbentWapePercent)} of the model in service`;
      return `${compared}: over ${stretches} held-out quarters of an hour, the difference is due to chance with a probability of ${(100 * chance).toFixed(0)} %`;
    }
    default:
      return decision satisfies never;
  }
}
