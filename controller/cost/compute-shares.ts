import { defaultTenant, type ModelTraffic } from "#protocol/messages.ts";

/** Share of a tenant's requests to one model in a minute. */
export interface ComputeShare {
  readonly model: string;
  readonly tenant: string;
  readonly requests: number;
  readonly tokens: number;
  readonly computeMs: number;
  /** Share of the minute's compute time, or of its requests where no compute time is recorded. The shares of a minute add up to 1. */
  readonly share: number;
  /** Price of those computed by offers. */
  readonly offersUsd: number;
}

/** Splits a minute's requests by model and tenant; those without a tenant are the default tenant's. */
export function computeShares(models: readonly ModelTraffic[]): ComputeShare[] {
  const parts = models.flatMap(({ model, tenants, requests, tokens, computeMs, offersUsd = 0 }) =>
    (tenants ?? [{ tenant: defaultTenant, requests, tokens, computeMs, offersUsd }]).map((part) => ({
      ...part,
      model,
    })),
  );
  const computeMs = parts.reduce((sum, part) => sum + part.computeMs, 0);
  const requests = parts.reduce((sum, part) => sum + part.requests, 0);
  return parts
    .filter((part) => part.requests > 0 || part.computeMs > 0)
    .map((part) => ({
      model: part.model,
      tenant: part.tenant,
      requests: part.requests,
      tokens: part.tokens,
      computeMs: part.computeMs,
      offersUsd: part.offersUsd ?? 0,
      share: computeMs > 0 ? part.computeMs / computeMs : part.requests / requests,
    }));
}
