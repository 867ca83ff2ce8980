import type { PowerModeProfile } from "#protocol/messages.ts";

/** A mode whose figures are all known. */
export type KnownMode = PowerModeProfile & {
  readonly capacityQps: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
};

/** Whether all is known of a mode that its energy at some demand can be told from. */
export function isKnownMode(mode: PowerModeProfile): mode is KnownMode {
  return mode.capacityQps !== null && mode.busyWatts !== null && mode.idleWatts !== null;
}

/** Power at a demand: between idle and busy, linear in utilisation. A mode without capacity does nothing but idle. */
export function wattsAt({ capacityQps, busyWatts, idleWatts }: KnownMode, demandQps: number): number {
  const utilization = capacityQps > 0 ? Math.min(1, demandQps / capacityQps) : 0;
  return idleWatts + (busyWatts - idleWatts) * utilization;
}

/** The index of the mode that draws least at a demand, of those that are `fit` for it; 0 when none is. */
export function cheapestMode(
  modes: readonly KnownMode[],
  demandQps: number,
  fit: (mode: KnownMode) => boolean,
): number {
  let best: number | null = null;
  for (const [index, mode] of modes.entries()) {
    if (!fit(mode)) continue;
    const cheaper = best === null || wattsAt(mode, demandQps) < wattsAt(modes[best] as KnownMode, demandQps);
    if (cheaper) best = index;
  }
  return best ?? 0;
}
