import type { MeasuredMode } from "./board-profile.ts";

/** Contradiction between measured figures and physics. */
export type Doubt = { readonly mode: MeasuredMode } & (
  | { readonly rule: "slower-than-lower"; readonly lower: MeasuredMode }
  | { readonly rule: "busy-below-idle"; readonly busyWatts: number; readonly idleWatts: number }
);

/** Share by which two measurements of one capacity may differ: twice the tolerance of the search. */
const capacityTolerance = 0.1;
/** Share by which two readings of one power may differ. */
const powerTolerance = 0.05;

/**
 * Decides which measured modes can't be true: one that carries less than a less capable mode, or that draws less under load than idle. Something else
 * used the machine meanwhile.
 * @param modes the most capable first
 */
export function decideDoubts(modes: readonly MeasuredMode[]): Doubt[] {
  return modes.flatMap((mode, index): Doubt[] => {
    const { capacityQps, busyWatts, idleWatts } = mode;
    const lower = modes
      .slice(index + 1)
      .reduce<MeasuredMode | null>((most, each) => (each.capacityQps > (most?.capacityQps ?? 0) ? each : most), null);
    if (lower !== null && capacityQps < (1 - capacityTolerance) * lower.capacityQps)
      return [{ mode, rule: "slower-than-lower", lower }];
    if (busyWatts !== null && idleWatts !== null && busyWatts < (1 - powerTolerance) * idleWatts)
      return [{ mode, rule: "busy-below-idle", busyWatts, idleWatts }];
    return [];
  });
}
