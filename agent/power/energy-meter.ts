import type { PowerSample } from "./device.ts";

export interface MeasuredEnergy {
  readonly energyJ: number;
  /** How much time has readings on both ends; what is missing is a gap, not zero. */
  readonly measuredMs: number;
  readonly maxTemperatureC: number | null;
  /** Mean over the measured time; null where the board doesn't say. */
  readonly gpuUtilization: number | null;
}

export interface EnergyMeter {
  add(sample: PowerSample): void;
  /** What was measured since the last call. */
  take(): MeasuredEnergy;
  /** Joules since the start. */
  totalJ(): number;
  latest(): PowerSample | null;
}

const nothing: MeasuredEnergy = { energyJ: 0, measuredMs: 0, maxTemperatureC: null, gpuUtilization: null };

/**
 * Adds up energy: each reading's power times the time that really passed since the one before.
 * @param longestGapMs readings further apart have a gap between them, in which nothing is known.
 */
export function createEnergyMeter(longestGapMs: number): EnergyMeter {
  let previous: PowerSample | null = null;
  let current = nothing;
  let gpuMs = 0;
  let gpuWeighted = 0;
  let totalJ = 0;

  return {
    add(sample) {
      const elapsedMs = previous === null ? Number.NaN : sample.atMs - previous.atMs;
      previous = sample;
      const { junctionTemperatureC: celsius, gpuUtilization, inputPowerMw } = sample;
      let { energyJ, measuredMs, maxTemperatureC } = current;
      if (celsius !== null) maxTemperatureC = Math.max(maxTemperatureC ?? celsius, celsius);
      if (elapsedMs > 0 && elapsedMs <= longestGapMs) {
        if (inputPowerMw !== null) {
          const joules = (inputPowerMw / 1000) * (elapsedMs / 1000);
          energyJ += joules;
          totalJ += joules;
          measuredMs += elapsedMs;
        }
        if (gpuUtilization !== null) {
          gpuMs += elapsedMs;
          gpuWeighted += gpuUtilization * elapsedMs;
        }
      }
      current = { energyJ, measuredMs, maxTemperatureC, gpuUtilization: null };
    },
    take() {
      const taken = { ...current, gpuUtilization: gpuMs === 0 ? null : Math.min(1, gpuWeighted / gpuMs) };
      current = nothing;
      gpuMs = 0;
      gpuWeighted = 0;
      return taken;
    },
    totalJ: () => totalJ,
    latest: () => previous,
  };
}
