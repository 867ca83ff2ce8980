import type { CostAnomaly } from "./decide-cost-anomaly.ts";

/** Part of the fleet that cost more than it would have, by dimension and name. */
export interface Mover {
  readonly dimension: string;
  /** Null: idle time. */
  readonly name: string | null;
  readonly excessUsd: number;
}

const usd = (amount: number) => `${amount.toFixed(amount >= 10 ? 2 : 4)} $`;
const percent = (ratio: number) => `${ratio >= 0 ? "+" : "−"}${Math.abs(100 * ratio).toFixed(0)} %`;
const nameOf = ({ dimension, name }: Mover) =>
  name === null ? "idle time" : `${dimension} ${name === "" ? "(none)" : name}`;

/** Explains how a day's cost was judged, and which parts of the fleet moved most. */
export function explainCostAnomaly(anomaly: CostAnomaly, movers: readonly Mover[]): string {
  const { rule, costUsd, expectedUsd, requests, usualRequests, score } = anomaly;
  if (rule === "too-few-days") return "fewer than seven days before it are on record";
  const excess = costUsd - expectedUsd;
  const more = expectedUsd > 0 ? ` (${percent(costUsd / expectedUsd - 1)})` : "";
  if (rule === "normal") return `${usd(costUsd)}, about as expected (${usd(expectedUsd)})`;
  const traffic =
    usualRequests > 0
      ? `requests ${percent(requests / usualRequests - 1)} against the week before`
      : "no requests before";
  const why = rule === "level" ? `more traffic: ${traffic}` : `a request costs more: ${traffic}`;
  const parts = movers.map(
    (mover) => `${nameOf(mover)} ${usd(mover.excessUsd)} (${((100 * mover.excessUsd) / excess).toFixed(0)} %)`,
  );
  const moved = parts.length === 0 ? "" : `; of the difference: ${parts.join(", ")}`;
  return `${usd(costUsd)} instead of ${usd(expectedUsd)}${more}, ${score > 1000 ? "over 1000" : score.toFixed(1)} deviations; ${why}${moved}`;
}
