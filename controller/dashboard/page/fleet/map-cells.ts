import type { AgentRow } from "../../agent-row.ts";

/** Look of an agent's cell on the map. */
export interface CellColor {
  readonly name: "--c1" | "--c2" | "--c3" | "--c6" | "--c-idle";
  /** Opacity: how much of the colour. */
  readonly share: number;
  readonly isHollow: boolean;
  readonly isCrossed: boolean;
}

const [serving, standby, draining] = [0, 1, 2];
const minShare = 0.15;
const [coolC, hotC] = [30, 100];

const shareOf = (value: number | null, low: number, high: number): number =>
  value === null || high <= low ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low)));

/** Chooses the look of a cell; the shape says what the agent does, whatever the colour says. */
export function cellColor(
  row: AgentRow,
  coloring: "state" | "load" | "power" | "temperature",
  maxWatts: number,
): CellColor {
  const [, condition, textsPerS, capacity, , watts, temperatureC] = row;
  const isOnline = condition === serving || condition === standby || condition === draining;
  const shape = { isHollow: condition === standby || !isOnline, isCrossed: !isOnline };
  if (!isOnline) return { name: "--c6", share: 1, ...shape };
  if (coloring === "state")
    return { name: condition === serving ? "--c3" : condition === draining ? "--c2" : "--c-idle", share: 1, ...shape };
  const share = {
    load: shareOf(textsPerS, 0, capacity ?? 0),
    power: shareOf(watts, 0, maxWatts),
    temperature: shareOf(temperatureC, coolC, hotC),
  }[coloring];
  return { name: coloring === "temperature" ? "--c6" : "--c1", share: minShare + (1 - minShare) * share, ...shape };
}

/** Place of the cell under a point; null: between two cells of a line, or beside the last column. */
export function placeOf(x: number, y: number, stepPx: number, columns: number): number | null {
  const column = Math.floor(x / stepPx);
  if (x < 0 || y < 0 || column >= columns) return null;
  return Math.floor(y / stepPx) * columns + column;
}
