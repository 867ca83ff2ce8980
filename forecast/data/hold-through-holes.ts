import { dayMs, hourMs } from "#platform/time.ts";
import { inputMinutes } from "./window-features.ts";

/** Record with its holes closed. */
export interface HeldRates {
  /** Rates with the level before each hole in its place, for two hours at most. */
  readonly held: readonly (number | null)[];
  /** Rates with null in those places: nothing is known about the demand there. */
  readonly known: readonly (number | null)[];
}

/** Zeros that make a hole where traffic would have brought so many requests: a Poisson stream stays silent with probability e^-30. */
const minZeros = 3;
const improbableRequests = 30;
/** Missing steps that make a hole: with fewer, the newest hour says enough. */
const minMissing = inputMinutes;
const levelSteps = 15;
const maxHoldMs = 2 * hourMs;
/** Share of the level below which the same time yesterday was silent too. */
const silentShare = 0.1;

/**
 * Closes the holes of a record: an hour or more without a step on record, and runs of zeros that are improbable after the traffic before them, as while a proxy was down.
 * When it comes back, what was needed before is needed at once. Silence that also was there yesterday is none.
 */
export function holdThroughHoles(rates: readonly (number | null)[], stepMs: number): HeldRates {
  const held = [...rates];
  const known = [...rates];
  const perDay = Math.round(dayMs / stepMs);
  const before: number[] = [];
  for (let index = 0; index < rates.length; ) {
    const rate = rates[index] as number | null;
    if (rate !== null && rate !== 0) {
      before.push(rate);
      index += 1;
      continue;
    }
    let end = index;
    while (end < rates.length && rates[end] === rate) end += 1;
    const newest = before.slice(-levelSteps);
    const level = newest.length === 0 ? 0 : newest.reduce((sum, each) => sum + each, 0) / newest.length;
    const isHole = rate === null ? end - index >= minMissing : isImprobable(end - index, level, stepMs);
    if (isHole && level > 0 && !wasSilent(rates, index - perDay, end - perDay, level)) {
      const until = Math.min(end, index + Math.round(maxHoldMs / stepMs));
      held.fill(level, index, until);
      known.fill(null, index, until);
    } else if (rate === 0) for (let zero = index; zero < Math.min(end, index + levelSteps); zero += 1) before.push(0);
    index = end;
  }
  return { held, known };
}

const isImprobable = (steps: number, level: number, stepMs: number) =>
  steps >= minZeros && (steps * level * stepMs) / 1000 >= improbableRequests;

/** Tells if next to nothing came in these steps; false where they are not on record. */
function wasSilent(rates: readonly (number | null)[], from: number, to: number, level: number): boolean {
  const then = from < 0 ? [] : rates.slice(from, to).filter((rate) => rate !== null);
  return then.length > 0 && then.reduce((sum, rate) => sum + rate, 0) / then.length < silentShare * level;
}
