import { joulesPerKwh } from "#platform/energy.ts";
import { hourMs } from "#platform/time.ts";
import { workOf } from "#protocol/demand.ts";
import type { AgentRole, Birth, MinutePower, MinuteTraffic } from "#protocol/messages.ts";
import { moneyOf, moneyToNumber, sumOf } from "./money/money.ts";

export interface Prices {
  readonly tariffUsdPerKwh: number;
  readonly amortisationUsdPerHour: number;
}

/** Prices of an agent: its own where its birth names them, else the fleet's. */
export function pricesOf(birth: Birth | null, fleet: Prices): Prices {
  return {
    tariffUsdPerKwh: birth?.prices.tariffUsdPerKwh ?? fleet.tariffUsdPerKwh,
    amortisationUsdPerHour: birth?.prices.amortisationUsdPerHour ?? fleet.amortisationUsdPerHour,
  };
}

/** Use of an agent in a minute: it answered requests or computed for other agents, was active without any, or was not meant to serve. */
export type MinuteUse = "serving" | "idle" | "standby";

export interface MinuteCost {
  readonly use: MinuteUse;
  readonly energyKwh: number;
  readonly energyUsd: number;
  readonly amortisationUsd: number;
  /** Price of its requests computed by offers outside the fleet. */
  readonly offersUsd: number;
  /** Time for which the agent ran, and the part of it whose power is known. The rest is missing, not zero. */
  readonly observedMs: number;
  readonly measuredMs: number;
  readonly requests: number;
  /** Texts that needed this agent's capacity, those of other agents' requests too. */
  readonly texts: number;
}

/** Prices one agent's minute: measured energy × tariff, the device's amortisation for the time the agent ran, and what offers were paid for its requests. */
export function priceMinute(
  minute: { readonly role: AgentRole; readonly traffic: MinuteTraffic; readonly power: MinutePower | null },
  prices: Prices,
): MinuteCost {
  const { role, traffic, power } = minute;
  const requests = traffic.models.reduce((sum, model) => sum + model.requests, 0);
  const computeMs = traffic.models.reduce((sum, model) => sum + model.computeMs, 0);
  const energyKwh = (power?.energyJ ?? 0) / joulesPerKwh;
  return {
    use: requests > 0 || computeMs > 0 ? "serving" : role === "active" ? "idle" : "standby",
    energyKwh,
    energyUsd: energyKwh * prices.tariffUsdPerKwh,
    amortisationUsd: (traffic.observedMs / hourMs) * prices.amortisationUsdPerHour,
    offersUsd: moneyToNumber(sumOf(traffic.models.map(({ offersUsd = 0 }) => moneyOf(offersUsd)))),
    observedMs: traffic.observedMs,
    measuredMs: power?.measuredMs ?? 0,
    requests,
    texts: workOf(traffic),
  };
}
