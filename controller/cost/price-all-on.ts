import { joulesPerKwh } from "#platform/energy.ts";
import type { Birth, PowerModeProfile } from "#protocol/messages.ts";

export interface ModeFigures {
  readonly name: string;
  readonly capacityQps: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
}

/** A mode of the board by its name, the most capable one without a name; null where it or a figure of it is unknown. */
export function modeOf(birth: Birth | null, wanted?: string): ModeFigures | null {
  const modes = birth?.board.powerModes ?? [];
  const mode = wanted === undefined ? modes[0] : modes.find(({ name }) => name === wanted);
  return mode === undefined ? null : figuresOf(mode);
}

/** Figures of a mode; null where one is unknown. */
export function figuresOf({ name, capacityQps, busyWatts, idleWatts }: PowerModeProfile): ModeFigures | null {
  if (capacityQps === null || busyWatts === null || idleWatts === null || capacityQps <= 0) return null;
  return { name, capacityQps, busyWatts, idleWatts };
}

/**
 * Utilisation of the fleet by a minute's texts with every agent on in its top mode, 0..1: the texts are spread by capacity, so all agents are
 * equally busy.
 */
export function allOnUtilization(texts: number, modes: readonly ModeFigures[]): number {
  const capacityQps = modes.reduce((sum, mode) => sum + mode.capacityQps, 0);
  return capacityQps <= 0 ? 0 : Math.min(1, texts / 60 / capacityQps);
}

/** Power between idle and busy, linear in utilisation. */
export function wattsAt({ busyWatts, idleWatts }: ModeFigures, utilization: number): number {
  return idleWatts + (busyWatts - idleWatts) * utilization;
}

/** Energy of a mode over `durationMs` in kWh. */
export function modeEnergyKwh(mode: ModeFigures, utilization: number, durationMs: number): number {
  return (wattsAt(mode, utilization) * (durationMs / 1000)) / joulesPerKwh;
}
