import type { MeshOffer } from "#agent/mesh/mesh-config.ts";

/** Another agent of the fleet, as its presence tells. */
export interface MeshPeer {
  readonly agentId: string;
  readonly bootId: string;
  readonly url: string;
  readonly region: string;
  /** Fingerprints of the vectors of its loaded models, by the model's id. */
  readonly spaces: Readonly<Record<string, string>>;
  /** Texts per second that it carries in its present mode; null: unknown. */
  readonly qps: number | null;
  /** Price of a request there; null: unknown. */
  readonly usdPerRequest: number | null;
  /** True when its presence is older than the connection to the broker. */
  readonly silent: boolean;
}

/** Place outside this agent where a request can be sent. */
export type Remote =
  | { readonly kind: "peer"; readonly id: string; readonly peer: MeshPeer }
  | { readonly kind: "offer"; readonly id: string; readonly offer: MeshOffer };

/** This agent, as a candidate for one request. */
export interface HomeView {
  readonly expectedMs: number | null;
  readonly inFlight: number;
  readonly capacityQps: number | null;
  readonly utilization: number;
  readonly usdPerRequest: number;
}

/** The request, as far as its route depends on it. */
export interface Routed {
  readonly model: string;
  /** Fingerprint of the vectors that are wanted; null: this agent does not know the model. */
  readonly space: string | null;
  readonly texts: number;
  readonly tokens: number;
  /** The tenant's regions; null: any. */
  readonly regions: readonly string[] | null;
}

/** Returns the kind of a backend outside this agent. */
export const kindOf = (remote: Remote): "peer" | MeshOffer["kind"] =>
  remote.kind === "peer" ? "peer" : remote.offer.kind;

/** Returns the price of a request; a peer that names none costs what this agent does. */
export function priceOf(remote: Remote, tokens: number, home: Pick<HomeView, "usdPerRequest"> | null): number {
  if (remote.kind === "offer")
    return remote.offer.usdPerRequest + (tokens * remote.offer.usdPerMillionTokens) / 1_000_000;
  return remote.peer.usdPerRequest ?? home?.usdPerRequest ?? 0;
}
