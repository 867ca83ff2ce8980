import type { MeshOffer } from "#agent/mesh/mesh-config.ts";
import type { BackendKind } from "#agent/mesh/routing/route-input.ts";
import { referencePrices } from "#tools/mesh/reference-offers.ts";

/** Servers of one kind. */
export interface ServerKind {
  readonly name: string;
  readonly kind: Exclude<BackendKind, "home">;
  readonly count: number;
  /** Texts of mean length a second that one of them carries. */
  readonly qps: number;
  /** Texts that one of them computes at the same time. */
  readonly lanes: number;
  readonly usdPerRequest: number;
}

export interface Scene {
  readonly name: string;
  readonly servers: readonly ServerKind[];
  readonly qps: number;
  /** Share of the requests whose clients want an answer within a time of their own; the others within the usual target. */
  readonly hurried: { readonly share: number; readonly budgetMs: number };
}

/** Mishap to a running fleet. */
export const routeFaults = ["slow", "silent", "failing", "mode-change", "gone", "lying"] as const;
export type RouteFault = (typeof routeFaults)[number];

/** Lengths of texts, by the share of the texts that are no longer: tokens, and work compared with the mean. */
export const textSizes = [
  { upTo: 0.6, tokens: 24, work: 0.6 },
  { upTo: 0.9, tokens: 64, work: 1.2 },
  { upTo: 1, tokens: 200, work: 2.8 },
] as const;

/** Time in which a request should be answered, as `mesh.targetMs`. */
export const targetMs = 50;
/** Time that a request and its answer travel. */
export const networkMs = 1;

const board = (name: string, count: number, qps: number): ServerKind => ({
  ...{ name, count, qps },
  ...{ kind: "peer", lanes: 1, usdPerRequest: referencePrices.peer },
});

const offer = (kind: MeshOffer["kind"], qps: number, lanes: number): ServerKind => ({
  ...{ name: kind, kind, count: 1, qps, lanes },
  usdPerRequest: referencePrices[kind],
});

const boards: readonly ServerKind[] = [board("large", 8, 330), board("middle", 8, 220), board("small", 4, 120)];

const capacityOf = (servers: readonly ServerKind[]) => servers.reduce((sum, { count, qps }) => sum + count * qps, 0);

/** Twenty boards of three makes that cost the same. */
export const boardsScene = (load: number): Scene => ({
  name: `20 boards at ${Math.round(100 * load)} %`,
  servers: boards,
  qps: load * capacityOf(boards),
  hurried: { share: 0, budgetMs: targetMs },
});

/** The same boards and three offers; one fifth of the clients is in a hurry. Filled up from the cheapest it is the reference mix, about 50/40/8/2. */
export const mixScene: Scene = {
  name: "reference mix",
  servers: [...boards, offer("spot", 4_000, 16), offer("serverless", 2_000, 90), offer("on-demand", 2_000, 8)],
  qps: 7_800,
  hurried: { share: 0.2, budgetMs: 35 },
};
