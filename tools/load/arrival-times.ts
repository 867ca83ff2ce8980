import type { LoadPhase } from "./plan-load.ts";

export const arrivalKinds = ["constant", "poisson"] as const;
/** constant: evenly spaced; poisson: independent of each other, as those of many users are. */
export type ArrivalKind = (typeof arrivalKinds)[number];

/** Time, ms after the phase began, by which `count` requests are due: the inverse of the area under an even ramp. */
function timeOf(count: number, { durationMs, level, toLevel = level }: LoadPhase): number {
  if (count === 0) return 0;
  const perMs = level / 1_000;
  const growth = (toLevel - level) / 1_000 / durationMs;
  return (2 * count) / (perMs + Math.sqrt(Math.max(0, perMs ** 2 + 2 * growth * count)));
}

/**
 * Yields the times, ms after the phase began, at which its requests are due.
 * @param random numbers from 0 to 1
 */
export function* arrivalTimes(phase: LoadPhase, kind: ArrivalKind, random = Math.random): Generator<number> {
  const { durationMs, level, toLevel = level } = phase;
  const total = ((level + toLevel) / 2) * (durationMs / 1_000);
  if (kind === "constant") {
    for (let count = 0; count < Math.round(total); count += 1) yield timeOf(count, phase);
    return;
  }
  const gap = () => -Math.log(1 - random());
  for (let count = gap(); count < total; count += gap()) yield timeOf(count, phase);
}
