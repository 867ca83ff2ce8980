import { inputMinutes } from "#forecast/data/window-features.ts";
import type { ForecastModelDecision } from "./decide-forecast-model.ts";

export function explainForecastModel(decision: ForecastModelDecision): string {
  switch (decision.rule) {
    case "nothing-recorded":
      return "no minute of the last hour was recorded";
    case "no-traffic":
      return `no request in the ${decision.recordedMinutes} recorded minutes of the last hour`;
    case "enough-recorded":
      return `${inputMinutes} minutes recorded${decision.filledMinutes === 0 ? "" : `, ${decision.filledMinutes} missing ones filled in`}`;
    case "short-record":
      return standIn(decision, `${decision.recordedSpanMinutes} of ${inputMinutes} minutes recorded`);
    case "too-many-gaps":
      return standIn(decision, `${decision.missingMinutes} of the last ${inputMinutes} minutes are missing`);
    case "network-not-ready": {
      const state = decision.state === "starting" ? "still loading" : decision.state;
      return standIn(decision, decision.problem ?? `the network is ${state}`);
    }
    default:
      return decision satisfies never;
  }
}

function standIn({ averagedMinutes }: { readonly averagedMinutes: number }, cause: string): string {
  return `${cause}: using the moving average of ${averagedMinutes === 1 ? "one minute" : `${averagedMinutes} minutes`}`;
}
