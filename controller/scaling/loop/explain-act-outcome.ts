import { durationToText } from "#controller/scaling/figures-to-text.ts";
import type { LateAct, ToldAct } from "./decide-act-outcome.ts";

/** Explains why an act is late and what is done about it. */
export function explainLateAct({ want }: Pick<ToldAct, "want">, { rule, detail, waitedMs }: LateAct): string {
  const waited = durationToText(waitedMs / 1000);
  const state = {
    refused: `${waited} after it was told it says: ${detail}`,
    away: `${detail}, ${waited} after it was told`,
    "not-reported": `not reported ${waited} after it was told`,
  }[rule];
  const next =
    "mode" in want
      ? "planned on with the mode it is in"
      : want.role === "active"
        ? "told again, and others take its place"
        : "told again";
  return `${state}; ${next}`;
}
