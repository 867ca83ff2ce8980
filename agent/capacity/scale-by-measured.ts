import type { PowerModeProfile } from "#protocol/messages.ts";

/** Capacity of a mode that was measured in service. */
export interface MeasuredCapacity {
  readonly modeName: string;
  /** Texts per second. */
  readonly qps: number;
  readonly atMs: number;
}

/**
 * Returns modes with their measured capacities. A mode that was not measured is scaled like the one that was measured last: a board that is
 * slower than its profile in one mode is slower in the others.
 */
export function scaleByMeasured(
  modes: readonly PowerModeProfile[],
  measured: readonly MeasuredCapacity[],
): readonly PowerModeProfile[] {
  const stated = new Map(modes.map(({ name, capacityQps }) => [name, capacityQps]));
  const known = new Map(measured.map(({ modeName, qps }) => [modeName, qps]));
  const newest = measured
    .filter(({ modeName }) => Number(stated.get(modeName)) > 0)
    .sort((a, b) => a.atMs - b.atMs)
    .at(-1);
  const ratio = newest === undefined ? 1 : newest.qps / (stated.get(newest.modeName) as number);
  return modes.map((mode) => {
    const { name, capacityQps } = mode;
    const own = known.get(name) ?? (capacityQps === null ? null : capacityQps * ratio);
    const profile = capacityQps === null || own === capacityQps ? {} : { profileQps: capacityQps };
    return { ...mode, capacityQps: own, ...profile };
  });
}
