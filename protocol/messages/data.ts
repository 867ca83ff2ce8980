import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { amount, bounds, count, TimeMs, text } from "../bounds.ts";
import { CapacityEstimate, RefusedRequests, Utilization } from "./demand.ts";
import { AgentRole, described, envelope, roleMeaning } from "./fields.ts";
import { ForecastAccuracy, ForecastReport } from "./forecast.ts";
import { MinuteMesh } from "./mesh.ts";
import { MinutePower } from "./power.ts";

/** The tenant of requests without a key, or with one that is no tenant's. Records that name no tenants are all of this one. */
export const defaultTenant = "default";
/** Beginning of the names that stand for erased tenants. */
export const pseudonymPrefix = "erased-";

const counts = {
  requests: described(count(bounds.requests), "requests that were answered with vectors"),
  texts: described(count(bounds.texts), "texts of these requests"),
  tokens: described(count(bounds.tokens), "tokens of these texts"),
  computeMs: described(amount(bounds.computeMs), "milliseconds of inference"),
  cachedTexts: Type.Optional(
    described(
      count(bounds.texts),
      "of texts, those whose vectors were in the cache: they cost no capacity; absent: unknown",
    ),
  ),
  sentTexts: Type.Optional(
    described(
      count(bounds.texts),
      "of texts, those computed by another agent or an offer: they count as demand here and as work there; absent: none",
    ),
  ),
  peerTexts: Type.Optional(
    described(
      count(bounds.texts),
      "texts computed for other agents, which count as demand there: not part of texts, but their time is part of computeMs; absent: none",
    ),
  ),
  offersUsd: Type.Optional(
    described(
      amount(bounds.usdPerMinute),
      "price of those of sentTexts computed by offers, US$: money that leaves the fleet; absent: none",
    ),
  ),
  peerTokens: Type.Optional(described(count(bounds.tokens), "tokens of peerTexts; absent: none")),
  queueMs: Type.Optional(
    described(
      amount(bounds.computeMs),
      "milliseconds that the requests waited before their first batch, summed; absent: unknown",
    ),
  ),
  refused: Type.Optional(RefusedRequests),
};

export const TenantTraffic = Type.Object({ tenant: described(text(64), "name of the tenant"), ...counts }, strict);
export type TenantTraffic = Static<typeof TenantTraffic>;

/** Kinds of offers outside the fleet that answer requests for a price. */
export const offerKinds = ["spot", "serverless", "on-demand"] as const;

export const RoutedTraffic = Type.Object(
  {
    kind: described(literals("peer", ...offerKinds), "where they were computed: another agent, or a kind of offer"),
    requests: described(count(bounds.requests), "requests that were answered there"),
    texts: described(count(bounds.texts), "texts of these requests"),
    usd: described(
      amount(bounds.usdPerMinute),
      "their price, US$; for peers no money is spent, because the energy is in their own minutes",
    ),
  },
  strict,
);
export type RoutedTraffic = Static<typeof RoutedTraffic>;

export const ModelTraffic = Type.Object(
  {
    model: described(text(128), "id of the model"),
    ...counts,
    latencyCounts: Type.Array(count(bounds.requests), {
      minItems: 23,
      maxItems: 23,
      description:
        "requests by latency, up to 1, 2, 3, 5, 7.5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2500, 5000 ms and slower",
    }),
    routes: Type.Optional(
      Type.Array(RoutedTraffic, {
        maxItems: 8,
        description: "sentTexts by where they were computed; absent: none was sent",
      }),
    ),
    tenants: Type.Optional(
      Type.Array(TenantTraffic, {
        maxItems: 512,
        description: "adding up to the model's figures; absent: all of it is the default tenant's",
      }),
    ),
  },
  strict,
);
export type ModelTraffic = Static<typeof ModelTraffic>;

export const MinuteTraffic = Type.Object(
  {
    minuteStartMs: described(TimeMs, "start of the minute"),
    observedMs: described(
      amount(minuteMs),
      "how long the agent ran in the minute: 60,000 except in the first and last minute of a boot",
    ),
    errors: described(count(bounds.requests), "requests that failed on the agent's side (5xx other than standby)"),
    rejected: described(
      count(bounds.requests),
      "requests that were refused: 429, and 503 while on standby or draining",
    ),
    models: Type.Array(ModelTraffic, { maxItems: 64, description: "models that answered requests" }),
  },
  { ...strict, description: "requests of the minute" },
);
export type MinuteTraffic = Static<typeof MinuteTraffic>;

/** The record of one minute. (agentId, bootId, seq) names it for good: a repeat is the same record. */
export const MinuteData = Type.Object(
  {
    ...envelope,
    seq: Type.Integer({
      minimum: 1,
      maximum: bounds.count32,
      description: "counts up from 1 in each boot; (agentId, bootId, seq) identifies the record permanently",
    }),
    historical: Type.Boolean({
      description:
        "true: it waited in the outbox instead of being sent when the minute ended; it does not count as live",
    }),
    role: described(AgentRole, roleMeaning),
    queueDepth: described(count(10_000_000), "texts waiting when the minute closed"),
    traffic: MinuteTraffic,
    power: orNull(MinutePower, "energy of the minute; null: not measured"),
    forecast: orNull(ForecastReport, "forecast made as the minute closed; null: none"),
    forecastAccuracy: Type.Optional(orNull(ForecastAccuracy, "of the newest 24 hours; null or absent: not judged")),
    capacity: Type.Optional(
      Type.Array(CapacityEstimate, { maxItems: 64, description: "by loaded model, in the present power mode" }),
    ),
    utilization: Type.Optional(Utilization),
    mesh: Type.Optional(MinuteMesh),
    outbox: Type.Optional(
      Type.Object(
        {
          records: described(count(bounds.count32), "records waiting to be sent before this one"),
          dropped: described(count(bounds.count32), "records that were lost since the start"),
        },
        { ...strict, description: "the agent's outbox when the minute closed; absent: unknown" },
      ),
    ),
  },
  strict,
);
export type MinuteData = Static<typeof MinuteData>;
