import type { FigureSources } from "#controller/dashboard/fleet-figures.ts";

/** Sources of a fleet's figures besides its agents: connected, and otherwise nothing is known. */
export function someSources(given: Partial<FigureSources> = {}): FigureSources {
  return {
    nowMs: 1_000_000,
    maxDataAgeMs: 180_000,
    decisionEachMs: 60_000,
    brokerConnected: true,
    usualCapacityPerS: 100,
    p95TargetMs: 1000,
    forecast: null,
    peakTextsPerS: null,
    decision: null,
    alerts: null,
    ...given,
  };
}
