import type { ServedRequest } from "#agent/serving/ports.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import { defaultTenant, type MinuteTraffic, type ModelTraffic, type TenantTraffic } from "#protocol/messages.ts";

/** Counts of what was served in a minute under way. */
export interface MinuteCounts {
  add(request: ServedRequest): void;
  addError(): void;
  addRejected(): void;
  texts(): number;
  /** Returns the counts so far; a model's tenants only where there are others than the default one. */
  traffic(): Omit<MinuteTraffic, "minuteStartMs" | "observedMs">;
}

/** Pairs of model and tenant that are counted apart in one minute: more would exceed the limit of a message. */
const maxPairs = 600;
/** Name of all tenants beyond that together; no configured tenant can have it. */
export const otherTenants = "(other)";

interface ModelCounts {
  readonly model: Omit<ModelTraffic, "tenants">;
  readonly tenants: Map<string, TenantTraffic>;
}

function isOfDefaultTenant({ tenants }: ModelCounts): boolean {
  return tenants.size === 1 && tenants.has(defaultTenant);
}

export function createMinuteCounts(): MinuteCounts {
  const models = new Map<string, ModelCounts>();
  let pairs = 0;
  let errors = 0;
  let rejected = 0;

  const countsOf = (model: string): ModelCounts => {
    let counts = models.get(model);
    if (counts === undefined) {
      counts = {
        model: { model, requests: 0, texts: 0, tokens: 0, computeMs: 0, latencyCounts: emptyLatencyCounts() },
        tenants: new Map(),
      };
      models.set(model, counts);
    }
    return counts;
  };

  const tenantOf = (counts: ModelCounts, tenant: string): TenantTraffic => {
    const known = counts.tenants.get(tenant);
    if (known !== undefined) return known;
    if (pairs >= maxPairs && tenant !== otherTenants) return tenantOf(counts, otherTenants);
    pairs += 1;
    const added: TenantTraffic = { tenant, requests: 0, texts: 0, tokens: 0, computeMs: 0 };
    counts.tenants.set(tenant, added);
    return added;
  };

  return {
    add({ model, tenant, texts, tokens, computeMs, latencyMs }) {
      const counts = countsOf(model);
      for (const sum of [counts.model, tenantOf(counts, tenant)]) {
        sum.requests += 1;
        sum.texts += texts;
        sum.tokens += tokens;
        sum.computeMs += computeMs;
      }
      const bucket = latencyBucket(latencyMs);
      counts.model.latencyCounts[bucket] = (counts.model.latencyCounts[bucket] ?? 0) + 1;
    },
    addError() {
      errors += 1;
    },
    addRejected() {
      rejected += 1;
    },
    texts: () => [...models.values()].reduce((sum, { model }) => sum + model.texts, 0),
    traffic: () => ({
      errors,
      rejected,
      models: [...models.values()].map((counts) => ({
        ...counts.model,
        ...(isOfDefaultTenant(counts) ? {} : { tenants: [...counts.tenants.values()] }),
      })),
    }),
  };
}
