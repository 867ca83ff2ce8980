import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, text } from "../bounds.ts";
import { CapacityEstimate, RefusedRequests, Utilization } from "./demand.ts";
import { AgentRole, described, envelope, roleMeaning } from "./fields.ts";

export const ModelBeat = Type.Object(
  {
    model: described(text(128), "id of the model"),
    requests: described(count(bounds.requests), "requests that were answered with vectors"),
    texts: described(count(bounds.texts), "texts of these requests"),
    cachedTexts: described(count(bounds.texts), "of texts, those whose vectors were in the cache"),
    sentTexts: Type.Optional(
      described(count(bounds.texts), "of texts, those computed by another agent or an offer; absent: none"),
    ),
    peerTexts: Type.Optional(
      described(count(bounds.texts), "texts computed for other agents, which count as demand there; absent: none"),
    ),
    refused: { ...RefusedRequests },
    p95Ms: orNull(amount(bounds.durationMs), "95th percentile latency of answered requests; null: none"),
    slowRequests: described(
      count(bounds.requests),
      "of requests, those that took longer than the agent's latency target",
    ),
    capacity: Type.Optional(CapacityEstimate),
  },
  strict,
);
export type ModelBeat = Static<typeof ModelBeat>;

/** A sign of life every ten seconds or so: what users felt in the seconds since the last one. Never stored; a lost one is not repeated. */
export const Beat = Type.Object(
  {
    ...envelope,
    windowMs: Type.Integer({
      minimum: 1,
      maximum: bounds.durationMs,
      description: "length of the interval the figures cover; it ends at sentAtMs",
    }),
    role: described(AgentRole, roleMeaning),
    modeName: orNull(text(64), "name of the present power mode; null: unknown"),
    queueDepth: described(count(10_000_000), "texts waiting now"),
    models: Type.Array(ModelBeat, { maxItems: 64, description: "models with requests" }),
    utilization: Utilization,
  },
  strict,
);
export type Beat = Static<typeof Beat>;
