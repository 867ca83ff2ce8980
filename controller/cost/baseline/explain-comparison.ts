import type { Comparison } from "./decide-comparison.ts";

/** Explains what changed since a baseline. */
export function explainComparison(comparison: Comparison): string {
  const { beforeUsdPerDay, afterUsdPerDay, savedUsdPerDay, savedShare, beforeUsdPerMillion, afterUsdPerMillion } =
    comparison;
  const share =
    savedShare === null ? "" : ` (${Math.abs(100 * savedShare).toFixed(1)} % ${savedShare >= 0 ? "less" : "more"})`;
  const day = `a day costs ${afterUsdPerDay.toFixed(2)} $ instead of ${beforeUsdPerDay.toFixed(2)} $${share}`;
  if (beforeUsdPerMillion === null || afterUsdPerMillion === null)
    return `${day}; without requests on both sides it is not known whether they cost less`;
  const requests = `a million requests ${afterUsdPerMillion.toFixed(2)} $ instead of ${beforeUsdPerMillion.toFixed(2)} $`;
  const contradicts = savedUsdPerDay > 0 && afterUsdPerMillion > beforeUsdPerMillion;
  return `${day}, ${requests}${contradicts ? ": less was spent as there were fewer requests, each costs more" : ""}`;
}
