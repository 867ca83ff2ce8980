import type { RatedMinute, UnratedMinute } from "../../store/costs/cost-rows.ts";
import { moneyOf } from "../money/money.ts";
import { priceMinute } from "../price-minute.ts";
import type { AgentPrices } from "../prices/price-source.ts";
import { splitMinute } from "../split-minute.ts";

/** Cost lines of an agent's minute: the device's, and those of the tenants that used its models. */
export function rateMinute(
  minute: UnratedMinute,
  { region, prices, priceKey }: { readonly region: string; readonly prices: AgentPrices; readonly priceKey: string },
): RatedMinute {
  const cost = priceMinute(minute, prices);
  const parts = minute.traffic.models.length === 0 ? [] : splitMinute(minute, cost, prices.tariffUsdPerKwh);
  const work = parts.map(({ tenant, model, used, offers, activeKwh, busyMs, requests, tokens }) => ({
    ...{ tenant, model, used, offers, activeKwh, computeMs: busyMs, requests, tokens },
  }));
  return {
    ...{ region, priceKey, work },
    gaps: prices.missing.length === 0 ? "" : JSON.stringify(prices.missing),
    device: {
      ...{ energy: moneyOf(cost.energyUsd), owning: moneyOf(cost.amortisationUsd), energyKwh: cost.energyKwh },
      ...{ observedMs: cost.observedMs, measuredMs: cost.measuredMs },
      computeMs: work.reduce((sum, part) => sum + part.computeMs, 0),
    },
  };
}
