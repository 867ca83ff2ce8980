import type { ModelService, ServiceWindow } from "./service-window.ts";
import { type SloConfig, sloOf } from "./slo-config.ts";

/** Breach of a model's objective in one stretch of time. */
export type SloMiss =
  | { readonly rule: "refused" | "failed"; readonly model: string; readonly requests: number }
  | { readonly rule: "slow"; readonly model: string; readonly p95Ms: number; readonly targetMs: number };

/** Requests below which a 95th percentile says nothing: one slow request would be a breach. */
const minRequests = 20;

function missOf(service: ModelService, config: SloConfig): SloMiss | null {
  const { model, requests, refused, failed, p95Ms } = service;
  const { p95Ms: targetMs, availability } = sloOf(config, model);
  if (refused > 0) return { rule: "refused", model, requests: refused };
  if (failed > (requests + failed) * (1 - availability)) return { rule: "failed", model, requests: failed };
  const isSlow = targetMs !== null && p95Ms !== null && p95Ms > targetMs && requests >= minRequests;
  return isSlow ? { rule: "slow", model, p95Ms, targetMs } : null;
}

/** Lists violations of the SLO, at most one per model. */
export function findMisses({ models }: ServiceWindow, config: SloConfig): SloMiss[] {
  return models.flatMap((service) => missOf(service, config) ?? []);
}
