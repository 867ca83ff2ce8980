import { defaultTenant } from "#protocol/messages.ts";
import type { Embedder } from "./embedder.ts";

interface BudgetConfig {
  /** Budget of requests that name none; null: none but the service's own limit. */
  readonly latencyBudgetMs: number | null;
  /** A tenant's own; null: as all others. */
  readonly tenants: Readonly<Record<string, { readonly latencyBudgetMs: number | null }>>;
}

/** Gives requests that name no latency budget the one that is configured for their tenant. Another agent's requests bring theirs. */
export function withLatencyBudgets(embedder: Embedder, { latencyBudgetMs, tenants }: BudgetConfig): Embedder {
  const budgets = new Map(Object.entries(tenants).map(([name, own]) => [name, own.latencyBudgetMs]));
  if (latencyBudgetMs === null && [...budgets.values()].every((budget) => budget === null)) return embedder;
  const budgeted = <R extends { readonly latencyBudgetMs?: number | undefined; readonly tenant?: string | undefined }>(
    request: R,
  ): R =>
    request.latencyBudgetMs === undefined
      ? {
          ...request,
          latencyBudgetMs: budgets.get(request.tenant ?? defaultTenant) ?? latencyBudgetMs ?? undefined,
        }
      : request;
  return {
    embed: (request) => embedder.embed(budgeted(request)),
    tokenize: (request) => embedder.tokenize(budgeted(request)),
    inFlight: () => embedder.inFlight(),
    queueDepth: () => embedder.queueDepth(),
  };
}
