import type { Doubt } from "./decide-doubts.ts";

/** Explains in a sentence why the figures of a mode are in doubt. */
export function explainDoubt(doubt: Doubt): string {
  const { mode } = doubt;
  switch (doubt.rule) {
    case "slower-than-lower":
      return `${mode.name} carried ${mode.capacityQps.toFixed(1)} qps, less than the ${doubt.lower.capacityQps.toFixed(1)} of ${doubt.lower.name}, a less capable mode`;
    case "busy-below-idle":
      return `${mode.name} drew ${doubt.busyWatts.toFixed(1)} W under load, less than the ${doubt.idleWatts.toFixed(1)} W idle`;
    default:
      return doubt satisfies never;
  }
}
