import { countToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { DueAction, LimitedOffers, Spending, SpendingEffect } from "./decide-spending.ts";

const percent = (value: number) => `${Number(value.toPrecision(3))} %`;

function explainDue({ budget, action, atPercent, usedPercent }: DueAction): string {
  const what = {
    "freeze-offers": "no more cloud capacity is bought",
    "widen-standby": "devices are on for the expected traffic only",
    "tighten-modes": "devices don't use their most capable mode",
  }[action];
  return `budget ${budget} is ${percent(usedPercent)} spent (${action} at ${percent(atPercent)}): ${what}`;
}

/** Says what limits do to users, before they are in force. */
export function explainEffect(effect: SpendingEffect): string {
  const { carriedQps, leftQps, coverQps, expectedQps, minutes, riskyMinutes, shortMinutes, shortShare } = effect;
  const rates = `${qpsToText(leftQps)} texts/s can be carried instead of ${qpsToText(carriedQps)}`;
  if (shortMinutes > 0)
    return `${rates}; the forecast of ${qpsToText(expectedQps)} needs more in ${shortMinutes} of ${countToText(minutes, "minute")}: ${percent(100 * shortShare)} of the texts would be refused or late`;
  if (riskyMinutes > 0)
    return `${rates}; the forecast needs ${qpsToText(expectedQps)}, but up to ${qpsToText(coverQps)} may come in ${riskyMinutes} of ${countToText(minutes, "minute")}, and would miss the SLO`;
  return `${rates}, enough for the ${qpsToText(coverQps)} that may come in ${countToText(minutes, "minute")}: the SLO is kept`;
}

/** Explains limits of spending in a sentence; empty when there are none. */
export function explainSpending(
  { due, maxCloudUsdPerHour }: Spending,
  { cut }: Pick<LimitedOffers, "cut">,
  effect: SpendingEffect | null,
): string {
  const cuts = cut.map(({ id, from, to }) => `${id} to ${to} of ${countToText(from, "unit")}`);
  const limit =
    maxCloudUsdPerHour === null || cut.length === 0
      ? []
      : [`cloud offers may cost ${maxCloudUsdPerHour} US$ an hour (plan.maxCloudUsdPerHour)`];
  const causes = [...due.map(explainDue), ...limit];
  if (causes.length === 0) return "";
  const limited = cuts.length === 0 ? "" : ` -> ${listToText(cuts)}`;
  return `${causes.join("; ")}${limited}. Effect: ${effect === null ? "none, as there is no plan to limit" : explainEffect(effect)}.`;
}
