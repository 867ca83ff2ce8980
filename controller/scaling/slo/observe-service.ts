import type { AgentState } from "#controller/fleet/agent-state.ts";
import { secondMs } from "#platform/time.ts";
import type { AgentService } from "./decide-slo-response.ts";
import { findMisses, type SloMiss } from "./find-misses.ts";
import { type ModelService, newestServiceWindow, type ServiceWindow, serviceWindows } from "./service-window.ts";
import type { SloConfig } from "./slo-config.ts";

const sum = (window: ServiceWindow, key: Exclude<keyof ModelService, "model" | "p95Ms">) =>
  window.models.reduce((total, service) => total + service[key], 0);

/** True when users of this agent were not given what they were promised in the newest seconds that it told of. */
export function newestShowsTrouble(agent: AgentState, config: SloConfig, nowMs: number): boolean {
  const newest = newestServiceWindow(agent, nowMs, config.windowS * secondMs);
  return newest !== null && findMisses(newest, config).length > 0;
}

/** Returns what users of an agent felt lately; null when it has not told. */
export function observeService(agent: AgentState, config: SloConfig, nowMs: number): AgentService | null {
  const windows = serviceWindows(agent, nowMs, config.windowS * secondMs);
  const newest = windows.at(-1);
  if (newest === undefined) return null;
  const troubled = windows.findLast((window) => findMisses(window, config).length > 0);
  // Shows the seconds with the trouble, not those in which it has just ended.
  const shown = troubled ?? newest;
  const seconds = shown.windowMs / secondMs;
  const misses: readonly SloMiss[] = findMisses(shown, config);
  return {
    agentId: agent.agentId,
    windowS: seconds,
    requestsPerS: (sum(shown, "requests") + sum(shown, "refused") + sum(shown, "failed")) / seconds,
    refusedPerS: sum(shown, "refused") / seconds,
    failedPerS: sum(shown, "failed") / seconds,
    // The highest of the intervals: rising traffic is not averaged with earlier traffic.
    demandQps: Math.max(...windows.map((window) => sum(window, "demandTexts") / (window.windowMs / secondMs))),
    servedQps: sum(shown, "servedTexts") / seconds,
    workQps: sum(shown, "workTexts") / seconds,
    misses,
  };
}
