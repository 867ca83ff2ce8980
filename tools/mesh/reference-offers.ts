import { parseAgentConfig } from "#agent/check-config.ts";
import type { MeshOffer } from "#agent/mesh/mesh-config.ts";
import type { BackendKind } from "#agent/mesh/routing/route-input.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import text from "../../deploy/mesh-offers.yaml" with { type: "text" };

const { mesh } = parseAgentConfig(parseYaml(text, "deploy/mesh-offers.yaml"), "deploy/mesh-offers.yaml");

/** Places outside the fleet that answer for a price, the cheapest first: those of the example that is shipped with the program. */
export const referenceOffers: readonly MeshOffer[] = mesh.offers;

/** Price of a request by where it is answered, in dollars: a board of the fleet, or an offer of a kind. */
export type RoutePrices = Readonly<Record<Exclude<BackendKind, "home">, number>>;

const priceOf = (kind: MeshOffer["kind"]): number =>
  mesh.offers.find((offer) => offer.kind === kind)?.usdPerRequest ?? 0;

/** Prices of the example. */
export const referencePrices: RoutePrices = {
  peer: mesh.usdPerRequest ?? 0,
  spot: priceOf("spot"),
  serverless: priceOf("serverless"),
  "on-demand": priceOf("on-demand"),
};

/** Places to which a mix without a router sends a third of the requests each. */
export const evenMix = ["peer", "spot", "on-demand"] as const satisfies readonly (keyof RoutePrices)[];

/** Price of a request in the even mix. */
export function evenMixUsd(prices: RoutePrices): number {
  return evenMix.reduce((sum, kind) => sum + prices[kind], 0) / evenMix.length;
}
