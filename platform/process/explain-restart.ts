import type { RestartDecision } from "./decide-restart.ts";

/** Returns the sentence for a log line. */
export function explainRestart({ rule, lossesInRow, delayMs }: RestartDecision): string {
  const times = lossesInRow <= 1 ? "once" : `${lossesInRow} times in a row`;
  return rule === "at-once" ? `lost ${times}: restarting at once` : `lost ${times}: restarting in ${delayMs / 1000} s`;
}
