import { durationToText } from "#controller/scaling/figures-to-text.ts";
import type { LateAct, ToldAct } from "./decide-act-outcome.ts";

/** Explains why an act is late and what is done about it. */
export function explainLateAct({ want }: Pick<ToldAct, "want">, { rule, detail, waitedMs }: LateAct): string {
  const waited = durationToText(waitedMs / 1000);
  const state = {
    refused: `${waited} after the order it says: ${detail}`,
    away: `${detail}, ${waited} after the order`,
    "not-reported": `not reported ${waited} after the order`,
  }[rule];
  const next =
    "mode" in want
      ? "still planned for, in its present mode"
      : want.role === "active"
        ? "ordered again, while others take its place"
        : "told again";
  return `${state}; ${next}`;
}
