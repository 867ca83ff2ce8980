import type { PeerWork, RefusedRequest, RoutePrice, ServedRequest } from "#agent/serving/ports.ts";
import { workTexts } from "#protocol/demand.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import {
  defaultTenant,
  type MinuteTraffic,
  type ModelTraffic,
  type RoutedTraffic,
  type TenantTraffic,
} from "#protocol/messages.ts";

/** Counts of requests in a period: answered, or refused and why. */
export interface MinuteCounts {
  add(request: ServedRequest): void;
  addRefused(request: RefusedRequest): void;
  addWork(work: PeerWork): void;
  /** Counts under another name what was counted under this one. */
  renameTenant(from: string, to: string): void;
  /** Returns the texts that called for this agent's own capacity so far. */
  workTexts(): number;
  /** Returns the counts so far; a model's tenants only where there are others than the default one. */
  traffic(): Omit<MinuteTraffic, "minuteStartMs" | "observedMs">;
}

/** Pairs of model and tenant that are counted apart in one minute: more, each with all its refusals, would exceed the limit of a message. */
const maxPairs = 200;
/** Models that one message can name. */
const maxModels = 64;
/** Name of all tenants, and of all models, beyond that together; none can be configured with it. */
export const otherNames = "(other)";

type Sums = Required<Omit<TenantTraffic, "tenant">>;
interface ModelCounts {
  readonly sums: Sums;
  readonly routes: Map<RoutedTraffic["kind"], { requests: number; texts: number; usd: number }>;
  readonly latencyCounts: number[];
  readonly tenants: Map<string, Sums>;
}

const emptySums = (): Sums => ({
  ...{ requests: 0, texts: 0, tokens: 0, computeMs: 0, cachedTexts: 0, queueMs: 0 },
  ...{ sentTexts: 0, offersUsd: 0, peerTexts: 0, peerTokens: 0 },
  refused: [],
});

function addRefusal({ refused }: Sums, { cause, texts, tokens }: RefusedRequest): void {
  let sum = refused.find((each) => each.cause === cause);
  if (sum === undefined) {
    sum = { cause, requests: 0, texts: 0, tokens: 0 };
    refused.push(sum);
  }
  sum.requests += 1;
  sum.texts += texts;
  sum.tokens += tokens;
}

function addRoute({ routes }: ModelCounts, { kind, usd }: RoutePrice, texts: number): void {
  const sum = routes.get(kind) ?? { requests: 0, texts: 0, usd: 0 };
  routes.set(kind, { requests: sum.requests + 1, texts: sum.texts + texts, usd: sum.usd + usd });
}

/** Leaves out what is zero: most tenants are refused nothing. */
function briefly({
  cachedTexts,
  queueMs,
  refused,
  sentTexts,
  offersUsd,
  peerTexts,
  peerTokens,
  ...sums
}: Sums): Omit<TenantTraffic, "tenant"> {
  return {
    ...sums,
    ...(sentTexts > 0 && { sentTexts }),
    ...(offersUsd > 0 && { offersUsd }),
    ...(peerTexts > 0 && { peerTexts, peerTokens }),
    ...(cachedTexts > 0 && { cachedTexts }),
    ...(queueMs > 0 && { queueMs }),
    ...(refused.length > 0 && { refused }),
  };
}

function toTraffic([model, { sums, routes, latencyCounts, tenants }]: [string, ModelCounts]): ModelTraffic {
  const isOfDefaultTenant = tenants.size === 1 && tenants.has(defaultTenant);
  // The model's own sums keep all fields but those of a mesh, which most fleets' minutes have not.
  const { sentTexts, offersUsd, peerTexts, peerTokens, ...plain } = sums;
  const mesh = {
    ...(sentTexts > 0 && { sentTexts }),
    ...(offersUsd > 0 && { offersUsd }),
    ...(routes.size > 0 && { routes: [...routes].map(([kind, sum]) => ({ kind, ...sum })) }),
    ...(peerTexts > 0 && { peerTexts, peerTokens }),
  };
  const named = [...tenants].map(([tenant, each]) => ({ tenant, ...briefly(each) }));
  return { model, ...plain, ...mesh, latencyCounts, ...(isOfDefaultTenant ? {} : { tenants: named }) };
}

export function createMinuteCounts(): MinuteCounts {
  const models = new Map<string, ModelCounts>();
  let pairs = 0;

  const countsOf = (model: string): ModelCounts => {
    const known = models.get(model);
    if (known !== undefined) return known;
    if (models.size >= maxModels - 1 && model !== otherNames) return countsOf(otherNames);
    const added = {
      ...{ sums: emptySums(), latencyCounts: emptyLatencyCounts() },
      ...{ routes: new Map(), tenants: new Map() },
    };
    models.set(model, added);
    return added;
  };

  const tenantOf = (counts: ModelCounts, tenant: string): Sums => {
    const known = counts.tenants.get(tenant);
    if (known !== undefined) return known;
    if (pairs >= maxPairs && tenant !== otherNames) return tenantOf(counts, otherNames);
    pairs += 1;
    const added = emptySums();
    counts.tenants.set(tenant, added);
    return added;
  };

  const refusedBecause = (...causes: readonly string[]) =>
    [...models.values()]
      .flatMap(({ sums }) => sums.refused)
      .reduce((sum, { cause, requests }) => sum + (causes.includes(cause) ? requests : 0), 0);

  return {
    addWork({ model, tenant, texts, tokens, computeMs, cachedTexts }) {
      const counts = countsOf(model);
      for (const sums of [counts.sums, tenantOf(counts, tenant)]) {
        sums.peerTexts += texts - cachedTexts;
        sums.peerTokens += tokens;
        sums.computeMs += computeMs;
      }
    },
    add({ model, tenant, latencyMs, sentTexts = 0, route, ...request }) {
      const counts = countsOf(model);
      if (route !== undefined) addRoute(counts, route, sentTexts);
      for (const sums of [counts.sums, tenantOf(counts, tenant)]) {
        sums.requests += 1;
        sums.sentTexts += sentTexts;
        if (route !== undefined && route.kind !== "peer") sums.offersUsd += route.usd;
        for (const kind of ["texts", "tokens", "computeMs", "cachedTexts", "queueMs"] as const)
          sums[kind] += request[kind];
      }
      const bucket = latencyBucket(latencyMs);
      // mutate: equivalent because all buckets begin with zero
      counts.latencyCounts[bucket] = (counts.latencyCounts[bucket] ?? 0) + 1;
    },
    addRefused(request) {
      const counts = countsOf(request.model);
      for (const sums of [counts.sums, tenantOf(counts, request.tenant)]) addRefusal(sums, request);
    },
    renameTenant(from, to) {
      for (const { tenants } of models.values()) {
        const sums = tenants.get(from);
        if (sums === undefined) continue;
        tenants.delete(from);
        tenants.set(to, sums);
      }
    },
    workTexts: () => [...models.values()].reduce((total, { sums }) => total + workTexts(sums), 0),
    traffic: () => ({
      errors: refusedBecause("deadline", "error"),
      rejected: refusedBecause("queue", "standby", "rate-limit"),
      models: [...models].map(toTraffic),
    }),
  };
}
