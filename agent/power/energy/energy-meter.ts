import type { PowerSample } from "#agent/power/device/device.ts";

/** Joules by what they were for; together all that was measured. */
export interface EnergyByKind {
  /** What the board draws in its mode with nothing to do. */
  readonly idleJ: number;
  /** What it drew above that. */
  readonly activeJ: number;
  /** Measured while the mode's idle draw was not known. */
  readonly unsplitJ: number;
}

export interface MeasuredEnergy extends EnergyByKind {
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
  /** Since the start. */
  totals(): EnergyByKind;
  /** Milliseconds between readings too far apart, since the start: their energy is not known. */
  gapMs(): number;
  latest(): PowerSample | null;
}

const noEnergy: EnergyByKind = { idleJ: 0, activeJ: 0, unsplitJ: 0 };

function addEnergy(a: EnergyByKind, b: EnergyByKind): EnergyByKind {
  return { idleJ: a.idleJ + b.idleJ, activeJ: a.activeJ + b.activeJ, unsplitJ: a.unsplitJ + b.unsplitJ };
}

/** A board that draws less than its idle figure is idle with all it draws. */
function split(watts: number, seconds: number, idleWatts: number | null): EnergyByKind {
  if (idleWatts === null) return { ...noEnergy, unsplitJ: watts * seconds };
  const idle = Math.min(watts, idleWatts);
  return { ...noEnergy, idleJ: idle * seconds, activeJ: (watts - idle) * seconds };
}

/**
 * Adds up energy: each reading's power times the time that really passed since the one before.
 * @param longestGapMs readings further apart have a gap between them, in which nothing is known.
 * @param idleWatts the idle draw of the mode the board is in; null where it isn't known.
 */
export function createEnergyMeter(longestGapMs: number, idleWatts: () => number | null): EnergyMeter {
  let previous: PowerSample | null = null;
  let energy = noEnergy;
  let measuredMs = 0;
  let maxTemperatureC: number | null = null;
  let gpuMs = 0;
  let gpuWeighted = 0;
  let totals = noEnergy;
  let gapMs = 0;

  return {
    add(sample) {
      const elapsedMs = previous === null ? Number.NaN : sample.atMs - previous.atMs;
      previous = sample;
      const { junctionTemperatureC: celsius, gpuUtilization, inputPowerMw } = sample;
      if (celsius !== null) maxTemperatureC = Math.max(maxTemperatureC ?? celsius, celsius);
      if (!(elapsedMs > 0)) return;
      const known = elapsedMs <= longestGapMs;
      if (known && inputPowerMw !== null) {
        const part = split(inputPowerMw / 1000, elapsedMs / 1000, idleWatts());
        energy = addEnergy(energy, part);
        totals = addEnergy(totals, part);
        measuredMs += elapsedMs;
      } else gapMs += elapsedMs;
      if (known && gpuUtilization !== null) {
        gpuMs += elapsedMs;
        gpuWeighted += gpuUtilization * elapsedMs;
      }
    },
    take() {
      const taken: MeasuredEnergy = {
        ...energy,
        energyJ: energy.idleJ + energy.activeJ + energy.unsplitJ,
        measuredMs,
        maxTemperatureC,
        gpuUtilization: gpuMs === 0 ? null : Math.min(1, gpuWeighted / gpuMs),
      };
      energy = noEnergy;
      measuredMs = 0;
      maxTemperatureC = null;
      gpuMs = 0;
      gpuWeighted = 0;
      return taken;
    },
    totals: () => totals,
    gapMs: () => gapMs,
    latest: () => previous,
  };
}
