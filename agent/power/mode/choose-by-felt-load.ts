import { minuteMs } from "#platform/time.ts";
import type { PowerModeInputs } from "./decide-power-mode.ts";
import { missedSlo } from "./felt-load.ts";
import type { PowerModeChoice } from "./power-mode-choice.ts";

/** No step down for this time after the SLO was missed. */
export const calmMs = 5 * minuteMs;
/** A step down is held to have cost an SLO that is missed within this time of it. */
export const costlyStepMs = 10 * minuteMs;

/**
 * Corrects a choice by what users feel, which outweighs what was computed: while they are refused or wait too long, a more capable mode at
 * once, and the mode from before a step down that cost the SLO; afterwards no less capable one for a while.
 */
export function chooseByFeltLoad(
  choice: PowerModeChoice,
  { felt, modes, nowMs }: Pick<PowerModeInputs, "felt" | "modes" | "nowMs">,
  currentIndex: number,
): PowerModeChoice {
  if (felt === undefined || currentIndex === -1) return choice;
  const nameOf = (index: number) => modes[index]?.name ?? "";
  const { stepDown, missedAtMs, heldOffUntilMs } = felt;
  const missed = missedSlo(felt);
  if (missed !== null) {
    const from = modes.findIndex(({ id }) => id === stepDown?.fromModeId);
    const returns = stepDown !== null && from !== -1 && from < currentIndex && nowMs - stepDown.atMs <= costlyStepMs;
    const index = Math.min(choice.index, returns ? from : Math.max(0, currentIndex - 1));
    return { index, grounds: { rule: returns ? "step-down-failed" : "slo-missed", mode: nameOf(index), missed } };
  }
  if (choice.index <= currentIndex) return choice;
  const keep = (grounds: PowerModeChoice["grounds"]): PowerModeChoice => ({ index: currentIndex, grounds });
  const mode = nameOf(choice.index);
  if (missedAtMs !== null && nowMs - missedAtMs < calmMs)
    return keep({ rule: "slo-missed-lately", mode, missedForMs: Math.max(0, nowMs - missedAtMs), calmMs });
  if (heldOffUntilMs !== null && nowMs < heldOffUntilMs)
    return keep({ rule: "held-off", mode, leftMs: heldOffUntilMs - nowMs });
  return choice;
}
