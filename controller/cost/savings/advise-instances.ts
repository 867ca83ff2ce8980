import { figure, type Saving } from "./saving.ts";
import type { SavingsServices } from "./savings-input.ts";

const hoursOfMonth = 730;
type Group = NonNullable<SavingsServices["instances"]>[number];
type Offer = Group["offers"][number];

/** Options that are paid for whether they are used or not. */
const isCommitted = ({ option }: Pick<Offer, "option">) => /^(reserved|committed)/.test(option);

function monthlyOf(group: Group, { usdPerHour, option }: Pick<Offer, "usdPerHour" | "option">): number {
  return group.count * usdPerHour * (isCommitted({ option }) ? hoursOfMonth : group.hoursPerMonth);
}

function adviceOf(group: Group, offer: Offer): Saving {
  const yearlyUsd = 12 * (monthlyOf(group, group) - monthlyOf(group, offer));
  const committed = isCommitted(offer);
  const breakEven = offer.usdPerHour / group.usdPerHour;
  const used = group.hoursPerMonth / hoursOfMonth;
  const hours = `${figure(group.hoursPerMonth)} h a month each, at ${offer.usdPerHour} instead of ${group.usdPerHour} $ an hour`;
  return {
    ...{ kind: committed ? "committed" : "cheaper-place", target: group.name },
    action: `buy ${group.count} × ${offer.type} ${offer.option}${offer.region === "" ? "" : ` in ${offer.region}`} instead of ${group.type} ${group.option}${group.region === "" ? "" : ` in ${group.region}`}`,
    evidence: committed
      ? `${hours}; pays from ${(100 * breakEven).toFixed(0)} % use on, they are used ${(100 * used).toFixed(0)} %`
      : `${hours}${offer.addedMs > 0 ? `; ${figure(offer.addedMs)} ms further away` : ""}`,
    yearlyUsd,
    risk: offer.option === "spot" ? "high" : committed && used < breakEven * 1.2 ? "medium" : "low",
    effort: offer.type === group.type && offer.region === group.region ? "low" : "medium",
  };
}

/** Advice on instances: the best commitment and the best other place, type or option. */
export function adviseInstances({ instances = [] }: SavingsServices): Saving[] {
  return instances.flatMap((group) => {
    const offers = group.offers
      .filter(({ addedMs }) => addedMs <= group.maxAddedMs)
      .map((offer) => ({ offer, monthly: monthlyOf(group, offer) }))
      .filter(({ monthly }) => monthly < monthlyOf(group, group))
      .sort((a, b) => a.monthly - b.monthly);
    const best = [true, false].flatMap((kind) => offers.find(({ offer }) => isCommitted(offer) === kind) ?? []);
    return best.map(({ offer }) => adviceOf(group, offer));
  });
}
