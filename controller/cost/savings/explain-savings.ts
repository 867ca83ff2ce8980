import { type Saving, usd } from "./saving.ts";

/** Explains a piece of advice in one sentence. */
export function explainSaving({ action, evidence, yearlyUsd, risk, effort }: Saving): string {
  return `${action}: ${usd(yearlyUsd)} a year (${evidence}; risk ${risk}, effort ${effort})`;
}
