import { count, list, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import type { CloudWish } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { FleetPlanStep } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { CloudOffer } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import type { CloudOfferConfig } from "./cloud-config.ts";

/** An agent that is a unit of a cloud offer. */
export interface CloudUnit {
  readonly agentId: string;
  readonly offerId: string;
  readonly available: boolean;
  /** Whether it is meant to serve, and whether it does. */
  readonly active: boolean;
  readonly serves: boolean;
  /** An operator's word on its role. */
  readonly roleIsHeld: boolean;
}

export interface CloudDecision {
  readonly activate: readonly string[];
  readonly standBy: readonly string[];
  readonly wishes: readonly CloudWish[];
  /** What the units that go on serving carry at the target utilisation. */
  readonly carriedQps: number;
  /** For people; empty when there is nothing to say. */
  readonly reason: string;
}

/** The offers a plan may count on: those whose units can be switched on, or that requests reach by themselves. */
export function plannableOffers(
  offers: readonly CloudOfferConfig[],
  units: readonly CloudUnit[],
  runningByThemselves: ReadonlyMap<string, number>,
): CloudOffer[] {
  return offers
    .filter(({ agents, reachable }) => agents.length > 0 || reachable)
    .map(({ id, kind, capacityQps, p95Ms, usdPerHour, usdPerRequest, startupS, max, agents }) => {
      const own = units.filter(({ offerId }) => offerId === id);
      const most = agents.length === 0 ? max : own.filter(({ available }) => available).length;
      const running =
        agents.length === 0 ? (runningByThemselves.get(id) ?? 0) : own.filter(({ serves }) => serves).length;
      return {
        ...{ id, kind, capacityQps, p95Ms, usdPerHour, usdPerRequest, startupS },
        max: Math.max(most, running),
        running,
      };
    });
}

/** What goes to which offer when `shortQps` is left over: the cheapest for a request first, a unit's hourly price spread over what it carries. */
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
 * What is done now about the cloud units of a plan's first step. Units are added at once, and go only when `mayShrink` and when what stays carries
 * `needQps` together with `devicesQps`. Offers whose units nobody can switch are only spoken of: where what the plan could not carry would overflow to.
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
  const wishes: CloudWish[] = [];
  const said: string[] = [];
  const carriedBy = new Map(offers.map(({ id, capacityQps }) => [id, capacityQps * targetUtilization]));
  let carriedQps = units.reduce((sum, { offerId, serves }) => sum + (serves ? (carriedBy.get(offerId) ?? 0) : 0), 0);
  for (const { id, kind, agents, reachable } of offers) {
    const planned = first?.cloud.find((step) => step.id === id);
    const wanted = planned?.units ?? 0;
    const expects = `${qps(planned?.qps ?? 0)} texts/s`;
    if (agents.length === 0) {
      if (reachable && wanted > 0) {
        wishes.push({ id, units: wanted, qps: planned?.qps ?? 0, by: "itself" });
        said.push(`${expects} are left to ${id} (${kind}, ${count(wanted, "unit")})`);
      }
      continue;
    }
    const own = units.filter(({ offerId }) => offerId === id);
    const on = own.filter(({ active, available }) => active && available);
    if (wanted > 0) wishes.push({ id, units: wanted, qps: planned?.qps ?? 0, by: "agents" });
    const starts = own
      .filter(({ active, available, roleIsHeld }) => !active && available && !roleIsHeld)
      .slice(0, Math.max(0, wanted - on.length));
    if (starts.length > 0) {
      activate.push(...starts.map(({ agentId }) => agentId));
      said.push(
        `${id} (${kind}) from ${on.length} to ${count(on.length + starts.length, "unit")} -> switch on ${list(activate)}`,
      );
    }
    const leaving: string[] = [];
    // The newest that does not serve yet first, then from the end, so that it is always the same.
    const candidates = on.filter(({ roleIsHeld }) => !roleIsHeld).toReversed();
    for (const unit of candidates.toSorted((a, b) => Number(a.serves) - Number(b.serves))) {
      if (!mayShrink || on.length - leaving.length <= wanted) break;
      const lessQps = unit.serves ? (carriedBy.get(id) ?? 0) : 0;
      if (devicesQps + carriedQps - lessQps < needQps) break;
      carriedQps -= lessQps;
      leaving.push(unit.agentId);
    }
    if (leaving.length > 0) {
      standBy.push(...leaving);
      said.push(
        `${id} (${kind}) from ${on.length} to ${count(on.length - leaving.length, "unit")} -> ${list(leaving)} to standby`,
      );
    } else if (starts.length === 0 && on.length > 0) {
      said.push(`${count(on.length, "unit")} of ${id} (${kind}) ${on.length === 1 ? "goes" : "go"} on`);
    }
  }
  const unprovided = offers.filter(({ agents, reachable }) => agents.length === 0 && !reachable);
  for (const { id, units, qps: overflowQps } of spreadOverflow(shortQps, unprovided, targetUtilization)) {
    wishes.push({ id, units, qps: overflowQps, by: "nobody" });
    const kind = unprovided.find((offer) => offer.id === id)?.kind;
    said.push(
      `${qps(overflowQps)} texts/s would overflow to ${count(units, "unit")} of ${id} (${kind}), which nothing here can switch on`,
    );
  }
  return { activate, standBy, wishes, carriedQps, reason: said.length === 0 ? "" : `Cloud: ${said.join("; ")}.` };
}
