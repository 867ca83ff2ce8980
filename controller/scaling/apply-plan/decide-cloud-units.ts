import type { CloudTarget } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { FleetPlanStep } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { CloudOffer } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import type { CloudOfferConfig } from "./cloud-config.ts";

/** An agent that is a unit of a cloud offer. */
export interface CloudUnit {
  readonly agentId: string;
  readonly offerId: string;
  readonly available: boolean;
  /** True when it is meant to serve; `serves`: when it does. */
  readonly active: boolean;
  readonly serves: boolean;
  /** True when an operator decides its role. */
  readonly roleIsHeld: boolean;
}

/** A change, or none, of the units of one offer. */
export interface CloudChange {
  readonly id: string;
  readonly kind: CloudOfferConfig["kind"];
  /** reached: requests go there by themselves; overflow: nothing here can switch it on. */
  readonly rule: "reached" | "start" | "stop" | "keep" | "overflow";
  /** Units before and after. */
  readonly from: number;
  readonly to: number;
  /** Units that start or stop. */
  readonly agents: readonly string[];
  /** Rate that goes, or would go, to the offer. */
  readonly qps: number;
}

export interface CloudDecision {
  readonly activate: readonly string[];
  readonly standBy: readonly string[];
  readonly targets: readonly CloudTarget[];
  /** Rate that the units that go on serving carry at the target utilisation. */
  readonly carriedQps: number;
  readonly changes: readonly CloudChange[];
}

/** Lists the offers that a plan may count on: those whose units can be switched on, or that requests reach by themselves. */
export function plannableOffers(
  offers: readonly CloudOfferConfig[],
  units: readonly CloudUnit[],
  runningByThemselves: ReadonlyMap<string, number>,
): CloudOffer[] {
  return offers
    .filter(({ agents, reachable }) => agents.length > 0 || reachable)
    .map(({ id, kind, capacityQps, p95Ms, usdPerHour, usdPerRequest, startupS, max, agents }) => {
      const own = units.filter(({ offerId }) => offerId === id);
      const usable = agents.length === 0 ? max : own.filter(({ available }) => available).length;
      const running =
        agents.length === 0 ? (runningByThemselves.get(id) ?? 0) : own.filter(({ serves }) => serves).length;
      return {
        ...{ id, kind, capacityQps, p95Ms, usdPerHour, usdPerRequest, startupS },
        max: Math.max(usable, running),
        running,
      };
    });
}

/** Spreads an overflow of `shortQps` over offers: the cheapest request first, a unit's hourly price spread over what it carries. */
export function spreadOverflow(
  shortQps: number,
  offers: readonly Pick<CloudOfferConfig, "id" | "capacityQps" | "usdPerHour" | "usdPerRequest" | "max">[],
  targetUtilization: number,
): { readonly id: string; readonly units: number; readonly qps: number }[] {
  const carried = (offer: (typeof offers)[number]) => offer.capacityQps * targetUtilization;
  const price = (offer: (typeof offers)[number]) => offer.usdPerRequest + offer.usdPerHour / 3600 / carried(offer);
  let leftQps = shortQps;
  return offers
    .toSorted((a, b) => price(a) - price(b) || a.id.localeCompare(b.id))
    .flatMap((offer) => {
      const taken = Math.min(leftQps, carried(offer) * offer.max);
      leftQps -= taken;
      return taken > 0 ? [{ id: offer.id, units: Math.ceil(taken / carried(offer) - 1e-9), qps: taken }] : [];
    });
}

/**
 * Decides what is done now about the cloud units of a plan's first step. Units are added at once, and go only when `mayShrink` and when the
 * rest carries `needQps` together with `devicesQps`. Of offers whose units nothing can switch it only records where demand beyond the plan
 * would overflow to.
 */
export function decideCloudUnits(
  first: Pick<FleetPlanStep, "cloud"> | undefined,
  shortQps: number,
  offers: readonly CloudOfferConfig[],
  units: readonly CloudUnit[],
  limits: {
    readonly mayShrink: boolean;
    readonly needQps: number;
    readonly devicesQps: number;
    readonly targetUtilization: number;
  },
): CloudDecision {
  const { mayShrink, needQps, devicesQps, targetUtilization } = limits;
  const activate: string[] = [];
  const standBy: string[] = [];
  const targets: CloudTarget[] = [];
  const changes: CloudChange[] = [];
  const carriedBy = new Map(offers.map(({ id, capacityQps }) => [id, capacityQps * targetUtilization]));
  const carriedOf = ({ offerId, serves }: CloudUnit) => (serves ? (carriedBy.get(offerId) ?? 0) : 0);
  let carriedQps = units.reduce((sum, unit) => sum + carriedOf(unit), 0);
  for (const { id, kind, agents, reachable } of offers) {
    const { units: wanted = 0, qps = 0 } = first?.cloud.find((step) => step.id === id) ?? {};
    if (agents.length === 0) {
      if (reachable && wanted > 0) {
        targets.push({ id, units: wanted, qps, by: "itself" });
        changes.push({ id, kind, rule: "reached", from: wanted, to: wanted, agents: [], qps });
      }
      continue;
    }
    const own = units.filter(({ offerId }) => offerId === id);
    const on = own.filter(({ active, available }) => active && available);
    const from = on.length;
    if (wanted > 0) targets.push({ id, units: wanted, qps, by: "agents" });
    const starts = own
      .filter(({ active, available, roleIsHeld }) => !active && available && !roleIsHeld)
      .slice(0, Math.max(0, wanted - from))
      .map(({ agentId }) => agentId);
    if (starts.length > 0) {
      activate.push(...starts);
      changes.push({ id, kind, rule: "start", from, to: from + starts.length, agents: starts, qps });
    }
    const leaving: string[] = [];
    // The newest that does not serve yet first, then from the end, so that the order is always the same.
    const candidates = on.filter(({ roleIsHeld }) => !roleIsHeld).toReversed();
    for (const unit of candidates.toSorted((a, b) => Number(a.serves) - Number(b.serves))) {
      if (!mayShrink || from - leaving.length <= wanted) break;
      if (devicesQps + carriedQps - carriedOf(unit) < needQps) break;
      carriedQps -= carriedOf(unit);
      leaving.push(unit.agentId);
    }
    if (leaving.length > 0) {
      standBy.push(...leaving);
      changes.push({ id, kind, rule: "stop", from, to: from - leaving.length, agents: leaving, qps });
    } else if (starts.length === 0 && from > 0) {
      changes.push({ id, kind, rule: "keep", from, to: from, agents: [], qps });
    }
  }
  const unprovided = offers.filter(({ agents, reachable }) => agents.length === 0 && !reachable);
  for (const { id, units: to, qps } of spreadOverflow(shortQps, unprovided, targetUtilization)) {
    targets.push({ id, units: to, qps, by: "none" });
    for (const { kind } of unprovided.filter((offer) => offer.id === id)) {
      changes.push({ id, kind, rule: "overflow", from: 0, to, agents: [], qps });
    }
  }
  return { activate, standBy, targets, carriedQps, changes };
}
