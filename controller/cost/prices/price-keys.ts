import type { Charge, DevicePrice, InstancePrice, PriceCatalogue, Tariff } from "./catalogue.ts";

/** Names of the things that have prices: entries of one name follow each other in time. */
export const keysOf = {
  electricity: ({ region }: Pick<Tariff, "region">) => JSON.stringify([region]),
  devices: ({ model }: Pick<DevicePrice, "model">) => JSON.stringify([model]),
  instances: ({ type, region, option }: Pick<InstancePrice, "type" | "region" | "option">) =>
    JSON.stringify([type, region, option]),
  charges: ({ service, item, region, per }: Pick<Charge, "service" | "item" | "region" | "per">) =>
    JSON.stringify([service, item, region, per]),
} as const;

export const sections = [
  "electricity",
  "devices",
  "instances",
  "charges",
] as const satisfies readonly (keyof PriceCatalogue)[];
export type Section = (typeof sections)[number];
