import type { AgentRole, Birth, MinutePower, MinuteTraffic } from "#protocol/messages.ts";

const joulesPerKwh = 3_600_000;
const msPerHour = 3_600_000;

export interface Prices {
  readonly tariffUsdPerKwh: number;
  readonly amortisationUsdPerHour: number;
}

/** The agent's own prices where its birth names them, the fleet's otherwise. */
export function pricesOf(birth: Birth | null, fleet: Prices): Prices {
  return {
    tariffUsdPerKwh: birth?.prices.tariffUsdPerKwh ?? fleet.tariffUsdPerKwh,
    amortisationUsdPerHour: birth?.prices.amortisationUsdPerHour ?? fleet.amortisationUsdPerHour,
  };
}

/** What an agent did in a minute: answered requests, stood ready without any, or was not meant to serve. */
export type MinuteUse = "serving" | "idle" | "standby";

export interface MinuteCost {
  readonly use: MinuteUse;
  readonly energyKwh: number;
  readonly energyUsd: number;
  readonly amortisationUsd: number;
  /** How long the agent was there, and for how much of that its power is known. What is not known is missing, not zero. */
  readonly observedMs: number;
  readonly measuredMs: number;
  readonly requests: number;
  readonly texts: number;
}

/**
 * The cost of one agent in one minute: energy measured × tariff, and the share of the device's amortisation for the time the agent was there.
 */
export function priceMinute(
  minute: { readonly role: AgentRole; readonly traffic: MinuteTraffic; readonly power: MinutePower | null },
  prices: Prices,
): MinuteCost {
  const { role, traffic, power } = minute;
  const requests = traffic.models.reduce((sum, model) => sum + model.requests, 0);
  const energyKwh = (power?.energyJ ?? 0) / joulesPerKwh;
  return {
    use: requests > 0 ? "serving" : role === "active" ? "idle" : "standby",
    energyKwh,
    energyUsd: energyKwh * prices.tariffUsdPerKwh,
    amortisationUsd: (traffic.observedMs / msPerHour) * prices.amortisationUsdPerHour,
    observedMs: traffic.observedMs,
    measuredMs: power?.measuredMs ?? 0,
    requests,
    texts: traffic.models.reduce((sum, model) => sum + model.texts, 0),
  };
}
