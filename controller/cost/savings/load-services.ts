import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import type { CostConfig } from "../cost-config.ts";
import { PriceCatalogue } from "../prices/catalogue.ts";
import { checkCatalogue } from "../prices/check-catalogue.ts";
import { SavingsServices } from "./savings-input.ts";

type Group = NonNullable<SavingsServices["instances"]>[number];

/** Offers that the catalogue has of a group's type on a day, in other regions and bought in other ways. */
function offersOf(group: Group, { instances }: PriceCatalogue, day: string): Group["offers"] {
  return instances
    .filter(({ type, from, until }) => type === group.type && from <= day && (until === undefined || day < until))
    .filter(({ region, option }) => region !== group.region || option !== group.option)
    .map(({ type, region, option, perHour }) => ({ type, region, option, usdPerHour: perHour, addedMs: 0 }));
}

/**
 * Reads what is used of services outside the fleet, and completes it by the catalogue's offers.
 * @throws UsageError naming the file and everything that is wrong.
 */
export async function loadServices(
  { services, catalogue }: Pick<CostConfig, "services" | "catalogue">,
  nowMs: number,
): Promise<SavingsServices> {
  if (services === null) return {};
  const found = parseConfig(SavingsServices, await readConfigFile(services), services);
  if (catalogue === null || found.instances === undefined) return found;
  const prices = parseConfig(PriceCatalogue, await readConfigFile(catalogue), catalogue, checkCatalogue);
  const day = new Date(nowMs).toISOString().slice(0, 10);
  const instances = found.instances.map((group) =>
    group.offers.length > 0 ? group : { ...group, offers: offersOf(group, prices, day) },
  );
  return { ...found, instances };
}
