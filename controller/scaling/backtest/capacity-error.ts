import type { BacktestFleet } from "./backtest-fleet.ts";

/**
 * Difference between the profile, which policies are given, and what devices really carry. factor: all carry this share of their profile;
 * drift: between 0.6 and 1.4 of it, up and down in three days; one-bad: one device carries a twentieth.
 */
export type CapacityError =
  | { readonly kind: "factor"; readonly factor: number }
  | { readonly kind: "drift" | "one-bad" };

export const noCapacityError: CapacityError = { kind: "factor", factor: 1 };

const driftPeriodMinutes = 3 * 1440;
const driftAmplitude = 0.4;
const badShare = 0.05;

/** Parses `0.05`, `drift` or `one-bad`; null for anything else. */
export function parseCapacityError(text: string): CapacityError | null {
  if (text === "drift" || text === "one-bad") return { kind: text };
  const factor = text.trim() === "" ? Number.NaN : Number(text);
  return factor >= 0.01 && factor <= 100 ? { kind: "factor", factor } : null;
}

/** Returns the fleet with each mode's capacity times a factor by make. */
export function scaleCapacity(fleet: BacktestFleet, factorOf: (make: number) => number): BacktestFleet {
  const devices = fleet.devices.map((device, make) => ({
    ...device,
    modes: device.modes.map((mode) => ({ ...mode, capacityQps: mode.capacityQps * factorOf(make) })),
  }));
  return { ...fleet, devices };
}

/** Returns the fleet as its profile has it, when the given one is the true one: so that the same traffic can be carried whatever the error. */
export const profiledFleet = (fleet: BacktestFleet, error: CapacityError): BacktestFleet =>
  error.kind === "factor" ? scaleCapacity(fleet, () => 1 / error.factor) : fleet;

/** Returns what a device really carries, as a share of the true fleet's figure. */
export function trueShare(error: CapacityError, place: number, minute: number): number {
  if (error.kind === "one-bad") return place === 0 ? badShare : 1;
  return error.kind === "drift" ? 1 + driftAmplitude * Math.sin((2 * Math.PI * minute) / driftPeriodMinutes) : 1;
}

/** Returns the mean {@link trueShare} of each make's devices. */
export function trueFactors(fleet: BacktestFleet, error: CapacityError, minute: number): number[] {
  let first = 0;
  return fleet.devices.map(({ count }) => {
    const places = Array.from({ length: count }, (_, index) => first + index);
    first += count;
    return count === 0 ? 1 : places.reduce((sum, place) => sum + trueShare(error, place, minute), 0) / count;
  });
}
