import type { AgentService } from "./decide-slo-response.ts";
import type { SloConfig } from "./slo-config.ts";

/**
 * Rate at which the error budget is used: 1 uses it up exactly, 0 uses none. Requests that were refused or failed count against
 * `availability`; a 95th percentile beyond its target counts as a multiple of that.
 */
export function burnRate(services: readonly AgentService[], { availability }: Pick<SloConfig, "availability">): number {
  const sum = (key: "requestsPerS" | "refusedPerS" | "failedPerS") =>
    services.reduce((total, service) => total + service[key], 0);
  const offered = sum("requestsPerS");
  const lost = offered > 0 ? (sum("refusedPerS") + sum("failedPerS")) / offered / (1 - availability) : 0;
  const slow = services.flatMap(({ misses }) =>
    misses.flatMap((miss) => (miss.rule === "slow" ? miss.p95Ms / miss.targetMs : [])),
  );
  return Math.max(lost, ...slow);
}
