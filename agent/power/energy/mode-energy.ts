import type { PowerModeProfile } from "#protocol/messages.ts";

export type KnownMode = PowerModeProfile & {
  readonly capacityQps: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
};

/** Returns true for a mode with all the figures from which its energy follows. */
export function isKnownMode(mode: PowerModeProfile): mode is KnownMode {
  return mode.capacityQps !== null && mode.busyWatts !== null && mode.idleWatts !== null;
}

/** Returns the power at a demand: from idle to busy, linear in utilisation. A mode without capacity only idles. */
export function wattsAt({ capacityQps, busyWatts, idleWatts }: KnownMode, demandQps: number): number {
  const utilization = capacityQps > 0 ? Math.min(1, demandQps / capacityQps) : 0;
  return idleWatts + (busyWatts - idleWatts) * utilization;
}

/** Returns the index of the mode that draws least at a demand, of those that `fit`; 0 when none does. */
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
