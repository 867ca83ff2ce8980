import { secondMs } from "#platform/time.ts";

/**
 * Stretch after a minute in which a fleet's agents send it. All end their minutes at the same moment: sent at once, those of a large fleet would
 * keep the controller busy for seconds and idle for the rest. Shorter than the delay after which a controller decides on them.
 */
export const sendSpreadMs = 6 * secondMs;

/** Delay after a minute's end at which an agent sends it, always the same one; of the clock's time. */
export function sendPhaseMs(agentId: string, spreadMs = sendSpreadMs): number {
  return spreadMs === 0 ? 0 : Number(Bun.hash.wyhash(agentId) % BigInt(spreadMs));
}
