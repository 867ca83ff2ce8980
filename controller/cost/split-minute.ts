import { joulesPerKwh } from "#platform/energy.ts";
import { defaultTenant, type MinutePower, type MinuteTraffic } from "#protocol/messages.ts";
import { computeShares } from "./compute-shares.ts";
import { divideToNearest, energyCost, type Money, moneyOf, splitMoney } from "./money/money.ts";
import type { MinuteCost } from "./price-minute.ts";

/** Part of a model's tenant in an agent's minute. */
export interface UserPart {
  readonly model: string;
  readonly tenant: string;
  readonly requests: number;
  readonly tokens: number;
  readonly computeMs: number;
  /** Time of the device that it used: its part of the time in which anything was computed. */
  readonly busyMs: number;
  /** Share of the minute's energy, idle draw included, and of it what was drawn above idle. */
  readonly energyKwh: number;
  readonly activeKwh: number;
  /** Cost of what it used: energy above idle, the device's time while it computed. */
  readonly used: Money;
  /** Share of the device's other cost while it was served. */
  readonly idle: Money;
  /** Price of its requests computed by offers. */
  readonly offers: Money;
}

const pairOf = ({ model, tenant }: { model: string; tenant: string }) => JSON.stringify([model, tenant]);

/** Joules above idle by model and tenant, as the agent attributed them; null where it does not know its idle draw. */
function activeJoules(power: MinutePower | null): Map<string, number> | null {
  if (power?.idleJ === undefined || power.activeJ === undefined) return null;
  const byPair = new Map<string, number>();
  for (const { model, energyJ, tenants } of power.models ?? [])
    for (const part of tenants ?? [{ tenant: defaultTenant, energyJ }]) {
      const pair = pairOf({ model, tenant: part.tenant });
      byPair.set(pair, (byPair.get(pair) ?? 0) + part.energyJ);
    }
  return byPair;
}

/** Cost of the device in a minute: energy and amortisation. */
export function deviceCostOf({ energyUsd, amortisationUsd }: Pick<MinuteCost, "energyUsd" | "amortisationUsd">): Money {
  return moneyOf(energyUsd) + moneyOf(amortisationUsd);
}

/**
 * Splits the cost of an agent's minute between the tenants of its models. What the device cost is split by compute time (by requests where none
 * is recorded); of its part each has used the energy above idle and the time in which it computed, and the rest was idle beside it. Where the
 * idle draw is unknown, energy counts as used for that time, too. Used and idle of all parts add up to what the device cost, exactly.
 */
export function splitMinute(
  { traffic, power }: { readonly traffic: MinuteTraffic; readonly power: MinutePower | null },
  cost: MinuteCost,
  tariffUsdPerKwh: number,
): UserPart[] {
  const shares = computeShares(traffic.models);
  const computeMs = shares.reduce((sum, part) => sum + part.computeMs, 0);
  const busyMs = Math.min(computeMs, traffic.observedMs);
  const active = activeJoules(power);
  // For the time in which the device computed: its amortisation, and its energy where that is not known separately.
  const byTime = moneyOf(cost.amortisationUsd) + (active === null ? moneyOf(cost.energyUsd) : 0n);
  const whole = traffic.observedMs > 0 ? moneyOf(traffic.observedMs) : 1n;
  const usedByTime = divideToNearest(byTime * moneyOf(busyMs), whole);
  const weights = shares.map(({ share }) => moneyOf(share));
  const ofDevice = splitMoney(deviceCostOf(cost), weights) ?? [];
  const times = splitMoney(
    usedByTime,
    shares.map((part) => moneyOf(part.computeMs)),
  );
  return shares.map((part, index) => {
    const { model, tenant, requests, tokens } = part;
    const joules = active?.get(pairOf(part)) ?? 0;
    const device = ofDevice[index] ?? 0n;
    const energy = energyCost(joules, tariffUsdPerKwh);
    const wanted = (times?.[index] ?? 0n) + energy;
    const used = wanted < device ? wanted : device;
    return {
      ...{ model, tenant, requests, tokens, computeMs: part.computeMs, used, idle: device - used },
      busyMs: computeMs > 0 ? (part.computeMs * busyMs) / computeMs : 0,
      ...{ energyKwh: part.share * cost.energyKwh, activeKwh: joules / joulesPerKwh, offers: moneyOf(part.offersUsd) },
    };
  });
}
