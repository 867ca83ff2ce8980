import type { CloudOffer } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";

/** Steps of a budget that a plan can take. */
export const spendingActions = ["freeze-offers", "widen-standby", "tighten-modes"] as const;
export type SpendingAction = (typeof spendingActions)[number];

/** Action of a budget whose share is spent. */
export interface DueAction {
  readonly budget: string;
  readonly action: SpendingAction;
  readonly atPercent: number;
  readonly usedPercent: number;
}

/** Limits of a plan's spending. */
export interface Spending {
  /** Maximum cost of an hour of all cloud units; null: no limit. */
  readonly maxCloudUsdPerHour: number | null;
  /** True: no unit is bought beyond those that run. */
  readonly offersFrozen: boolean;
  /** True: devices are kept on for the traffic that is expected, not for what may come beside it. */
  readonly expectedOnly: boolean;
  /** True: devices don't use their most capable mode. */
  readonly modesTightened: boolean;
  readonly due: readonly DueAction[];
}

/** Decides what a plan may spend, by the configured limit and the actions of budgets that are due. */
export function decideSpending(maxCloudUsdPerHour: number | null, due: readonly DueAction[]): Spending {
  const isDue = (wanted: SpendingAction) => due.some(({ action }) => action === wanted);
  return {
    maxCloudUsdPerHour,
    offersFrozen: isDue("freeze-offers"),
    expectedOnly: isDue("widen-standby"),
    modesTightened: isDue("tighten-modes"),
    due,
  };
}

/** Cost of an hour of a unit that carries what it may at the target utilisation. */
export function unitUsdPerHour(
  { usdPerHour, usdPerRequest, capacityQps }: Pick<CloudOffer, "usdPerHour" | "usdPerRequest" | "capacityQps">,
  targetUtilization: number,
): number {
  return usdPerHour + usdPerRequest * capacityQps * targetUtilization * 3600;
}

export interface LimitedOffers {
  readonly offers: readonly CloudOffer[];
  /** True: units run that the limit does not pay, and are to stop. */
  readonly isOver: boolean;
  /** Offers that may have fewer units than there are, with both numbers. */
  readonly cut: readonly { readonly id: string; readonly from: number; readonly to: number }[];
}

/**
 * Limits the units of offers to the spending limit: the cheapest per text first and, of equally cheap ones, those that
 * run. Free units are not limited.
 */
export function limitOffers(
  offers: readonly CloudOffer[],
  { maxCloudUsdPerHour, offersFrozen }: Pick<Spending, "maxCloudUsdPerHour" | "offersFrozen">,
  targetUtilization: number,
): LimitedOffers {
  const priceOf = (offer: CloudOffer) => unitUsdPerHour(offer, targetUtilization);
  const perText = (offer: CloudOffer) => priceOf(offer) / offer.capacityQps;
  let leftUsd = maxCloudUsdPerHour ?? Number.POSITIVE_INFINITY;
  const most = new Map<string, number>();
  for (const offer of offers.toSorted((a, b) => perText(a) - perText(b) || b.running - a.running)) {
    const wanted = offersFrozen ? Math.min(offer.max, offer.running) : offer.max;
    const price = priceOf(offer);
    // A hair more, so that a limit of three times the price pays three units.
    const paid = price > 0 ? Math.floor(leftUsd / price + 1e-9) : wanted;
    const max = Math.max(0, Math.min(wanted, paid));
    most.set(offer.id, max);
    leftUsd = Math.max(0, leftUsd - max * price);
  }
  const maxOf = ({ id }: CloudOffer) => most.get(id) ?? 0;
  return {
    offers: offers.map((offer) => ({ ...offer, max: maxOf(offer), running: Math.min(offer.running, maxOf(offer)) })),
    isOver: offers.some((offer) => offer.running > maxOf(offer)),
    cut: offers.flatMap((offer) =>
      maxOf(offer) < offer.max ? [{ id: offer.id, from: offer.max, to: maxOf(offer) }] : [],
    ),
  };
}

/** Effect of limits on what users are promised, as far as the forecast reaches. */
export interface SpendingEffect {
  /** Rate that all could carry at the target utilisation, without the limits and with them. */
  readonly carriedQps: number;
  readonly leftQps: number;
  /** Highest rate to be ready for, and that is expected, within the horizon. */
  readonly coverQps: number;
  readonly expectedQps: number;
  readonly minutes: number;
  /** Minutes whose rate exceeds what the limits leave: of possible and of expected traffic. */
  readonly riskyMinutes: number;
  readonly shortMinutes: number;
  /** Share of the texts expected within the horizon that nobody could carry. */
  readonly shortShare: number;
}

/** Tells what limits do to users: minutes and texts that could not be carried with them. */
export function effectOfSpending(input: {
  readonly carriedQps: number;
  readonly leftQps: number;
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}): SpendingEffect {
  const { carriedQps, leftQps, expectedQps, coverQps } = input;
  const above = (rates: readonly number[]) => rates.filter((qps) => qps > leftQps);
  const total = expectedQps.reduce((sum, qps) => sum + qps, 0);
  const short = above(expectedQps).reduce((sum, qps) => sum + qps - leftQps, 0);
  return {
    ...{ carriedQps, leftQps, minutes: expectedQps.length },
    coverQps: Math.max(0, ...coverQps),
    expectedQps: Math.max(0, ...expectedQps),
    riskyMinutes: above(coverQps).length,
    shortMinutes: above(expectedQps).length,
    shortShare: total > 0 ? short / total : 0,
  };
}
