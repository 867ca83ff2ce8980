import {
  evenMix,
  evenMixUsd,
  type RoutePrices,
  referenceOffers,
  referencePrices,
} from "#tools/mesh/reference-offers.ts";
import { parseMetrics } from "#tools/verify/parse-metrics.ts";
import type { RouteCount, RoutesView } from "./snapshot.ts";

/** Place of a backend: a board of the fleet, or an offer. */
export type RouteKind = keyof RoutePrices;

const offerPrefix = "offer:";
/** Backend of requests that nobody answered. */
const nobody = "none";

/** Tells a board from an offer by the name that the mesh gives it. */
export function kindOf(backend: string): RouteKind {
  const offer = referenceOffers.find(({ name }) => backend === `${offerPrefix}${name}`);
  return offer?.kind ?? "peer";
}

/** Reads the routes from an entry's metrics. */
export function readRoutes(metrics: string): RoutesView {
  const families = parseMetrics(metrics);
  const samples = (name: string) => families.get(name)?.samples ?? [];
  const routes = samples("thormesh_routes_total").map(({ labels, value }): RouteCount & { backend: string } => {
    const { backend = "", reason = "" } = labels;
    return { backend, kind: kindOf(backend), reason, requests: value };
  });
  const extra = (kind: string) =>
    samples("thormesh_route_extra_attempts_total").find(({ labels }) => labels["kind"] === kind)?.value ?? 0;
  return {
    routes: routes.filter(({ backend }) => backend !== nobody).sort((a, b) => b.requests - a.requests),
    refused: routes.reduce((sum, { backend, requests }) => sum + (backend === nobody ? requests : 0), 0),
    extraAttempts: { retry: extra("retry"), hedge: extra("hedge") },
    usd: samples("thormesh_routes_usd_total").reduce((sum, { value }) => sum + value, 0),
  };
}

const perMillion = 1_000_000;
/** The cheapest first. */
const kinds = ["peer", "spot", "serverless", "on-demand"] as const satisfies readonly RouteKind[];

/** Adds up requests by kind, those without any left out. */
export function byKind(routes: readonly Pick<RouteCount, "kind" | "requests">[]): ReadonlyMap<RouteKind, number> {
  const counts = new Map<RouteKind, number>();
  for (const { kind, requests } of routes) counts.set(kind, (counts.get(kind) ?? 0) + requests);
  return new Map(kinds.flatMap((kind) => (counts.has(kind) ? [[kind, counts.get(kind) as number] as const] : [])));
}

/** Routes with their price. Amounts are those of the demo's slowed boards; a million requests costs what it does at full speed. */
export interface RoutesReport extends RoutesView {
  readonly requests: number;
  readonly usdPerMillion: number | null;
  /** Price of a million requests at full speed, by where they are answered. */
  readonly usdPerMillionByKind: RoutePrices;
  /** The same requests without a router. */
  readonly evenMix: {
    /** Places that get the same number of them. */
    readonly kinds: readonly RouteKind[];
    readonly usd: number;
    readonly usdPerMillion: number;
  };
}

/** @param slowdown requests of boards at full speed that each one stands for */
export function buildRoutesReport(view: RoutesView, slowdown: number): RoutesReport {
  const requests = view.routes.reduce((sum, route) => sum + route.requests, 0);
  const evenUsd = evenMixUsd(referencePrices);
  return {
    ...view,
    requests,
    usdPerMillion: requests === 0 ? null : (view.usd / requests / slowdown) * perMillion,
    usdPerMillionByKind: {
      peer: referencePrices.peer * perMillion,
      spot: referencePrices.spot * perMillion,
      serverless: referencePrices.serverless * perMillion,
      "on-demand": referencePrices["on-demand"] * perMillion,
    },
    evenMix: { kinds: evenMix, usd: requests * evenUsd * slowdown, usdPerMillion: evenUsd * perMillion },
  };
}
