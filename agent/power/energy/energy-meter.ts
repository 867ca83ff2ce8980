import type { PowerSample } from "#agent/power/device/device.ts";

/** Joules by kind; together all measured energy. */
export interface EnergyByKind {
  /** Up to the mode's idle draw. */
  readonly idleJ: number;
  /** Above the idle draw. */
  readonly activeJ: number;
  /** Measured while the mode's idle draw was unknown. */
  readonly unsplitJ: number;
}

export interface MeasuredEnergy extends EnergyByKind {
  readonly energyJ: number;
  /** Time with readings at both ends; the rest is a gap, not zero. */
  readonly measuredMs: number;
  readonly maxTemperatureC: number | null;
  /** Mean over the measured time; null without readings. */
  readonly gpuUtilization: number | null;
}

export type EnergyMeter = ReturnType<typeof createEnergyMeter>;

const noEnergy: EnergyByKind = { idleJ: 0, activeJ: 0, unsplitJ: 0 };

function addEnergy(a: EnergyByKind, b: EnergyByKind): EnergyByKind {
  return { idleJ: a.idleJ + b.idleJ, activeJ: a.activeJ + b.activeJ, unsplitJ: a.unsplitJ + b.unsplitJ };
}

/** Splits energy into idle and active; power below the idle figure is all idle. */
function split(watts: number, seconds: number, idleWatts: number | null): EnergyByKind {
  if (idleWatts === null) return { ...noEnergy, unsplitJ: watts * seconds };
  const idle = Math.min(watts, idleWatts);
  return { ...noEnergy, idleJ: idle * seconds, activeJ: (watts - idle) * seconds };
}

/**
 * Adds up energy: each reading's power times the real time since the reading before.
 * @param maxGapMs maximum time between two readings; more is a gap of unknown energy
 * @param idleWatts idle draw of the present mode; null where unknown
 */
export function createEnergyMeter(maxGapMs: number, idleWatts: () => number | null) {
  let previous: PowerSample | null = null;
  let energy = noEnergy;
  let measuredMs = 0;
  let maxTemperatureC: number | null = null;
  let gpuMs = 0;
  let gpuWeighted = 0;
  let totals = noEnergy;
  let gapMs = 0;

  return {
    add(sample: PowerSample) {
      const elapsedMs = previous === null ? Number.NaN : sample.atMs - previous.atMs;
      previous = sample;
      const { junctionTemperatureC: celsius, gpuUtilization, inputPowerMw } = sample;
      if (celsius !== null) maxTemperatureC = Math.max(maxTemperatureC ?? celsius, celsius);
      if (!(elapsedMs > 0)) return;
      const known = elapsedMs <= maxGapMs;
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
    /** Returns the energy measured since the last call. */
    take(): MeasuredEnergy {
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
    /** Returns the energy since the start. */
    totals: (): EnergyByKind => totals,
    /** Returns the milliseconds since the start without known energy: between readings too far apart, or without a power reading. */
    gapMs: (): number => gapMs,
    latest: (): PowerSample | null => previous,
  };
}
