import type { Logger } from "#platform/log.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { type Birth, type RegionTariff, tariffLimits } from "#protocol/messages.ts";
import type { PriceSource } from "./price-source.ts";

export interface TariffNoticeParts {
  readonly prices: Pick<PriceSource, "of">;
  readonly births: () => readonly (Birth | null)[];
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Time between two notices, at 0:00 and 12:00 UTC, so that the next 36 hours are always covered. */
const renewedEachMs = 12 * hourMs;
const stepMs = 15 * minuteMs;
const stepsOfHour = hourMs / stepMs;

/** Mean price of an hour, by its quarters; null where the catalogue lacks it: the configured price, which then counts, is not by the hour. */
function priceOfHour(prices: Pick<PriceSource, "of">, region: string, startMs: number): number | null {
  const agent = { region, board: "", tariffUsdPerKwh: null, amortisationUsdPerHour: 0 };
  let sum = 0;
  for (let step = 0; step < stepsOfHour; step += 1) {
    const { tariffUsdPerKwh, missing } = prices.of("", agent, startMs + step * stepMs);
    if (missing.length > 0) return null;
    sum += tariffUsdPerKwh;
  }
  return Number((sum / stepsOfHour).toFixed(6));
}

/** Prices of a region up to the first hour without one; null where they are all the same. */
function tariffOf(prices: Pick<PriceSource, "of">, region: string, fromMs: number): RegionTariff | null {
  const usdPerKwh: number[] = [];
  while (usdPerKwh.length < tariffLimits.maxHours) {
    const price = priceOfHour(prices, region, fromMs + usdPerKwh.length * hourMs);
    if (price === null) break;
    usdPerKwh.push(price);
  }
  return usdPerKwh.every((price) => price === usdPerKwh[0]) ? null : { region, fromMs, usdPerKwh };
}

/** Regions whose agents have no price of their own, those of most agents first. */
function regionsOf(births: readonly (Birth | null)[]): string[] {
  const counts = new Map<string, number>();
  for (const birth of births) {
    if (birth === null || birth.prices.tariffUsdPerKwh !== null) continue;
    counts.set(birth.region, (counts.get(birth.region) ?? 0) + 1);
  }
  return [...counts].sort(([a, of], [b, other]) => other - of || (a < b ? -1 : 1)).map(([region]) => region);
}

/** Creates the published hourly electricity prices, for the regions where they vary. */
export function createTariffNotice({ prices, births, nowMs, log }: TariffNoticeParts): () => readonly RegionTariff[] {
  let fromMs = Number.NaN;
  let warned = false;
  const known = new Map<string, RegionTariff | null>();
  return () => {
    const startMs = Math.floor(nowMs() / renewedEachMs) * renewedEachMs;
    if (startMs !== fromMs) known.clear();
    fromMs = startMs;
    const told: RegionTariff[] = [];
    for (const region of regionsOf(births())) {
      let tariff = known.get(region);
      if (tariff === undefined) {
        tariff = tariffOf(prices, region, fromMs);
        known.set(region, tariff);
      }
      if (tariff !== null) told.push(tariff);
      if (told.length > tariffLimits.maxRegions) break;
    }
    if (told.length > tariffLimits.maxRegions && !warned) {
      warned = true;
      log.warn(
        { maxRegions: tariffLimits.maxRegions },
        "agents are told the electricity's price by the hour in the regions of most agents only",
      );
    }
    // Ordered by name, so that a message changes only with its content.
    return told.slice(0, tariffLimits.maxRegions).sort((a, b) => (a.region < b.region ? -1 : 1));
  };
}
