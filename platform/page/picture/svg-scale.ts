import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

const weekMs = 7 * dayMs;

export interface Point {
  readonly x: number;
  /** Null: a gap in the line. */
  readonly y: number | null;
}

/** Picture of a chart: its size, and the values at its edges. */
export interface ChartFrame {
  readonly width: number;
  readonly height: number;
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
  /** Space around what is drawn. Default: none. */
  readonly margin?: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
}

/** Conversion from data to coordinates in the picture. */
export interface Scales {
  x(value: number): number;
  y(value: number): number;
}

const noMargin = { left: 0, right: 0, top: 0, bottom: 0 } as const;

/** Returns round numbers from `from` up to the first that is not below `to`. */
export function niceTicks(from: number, to: number, about = 5): number[] {
  const span = to - from;
  if (!(span > 0) || !Number.isFinite(span)) return [from];
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(from / step + 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

export function scalesOf({ width, height, x, y, margin = noMargin }: ChartFrame): Scales {
  const place = (value: number, [from, to]: readonly [number, number], start: number, end: number) =>
    to === from ? start : start + ((value - from) / (to - from)) * (end - start);
  return {
    x: (value) => place(value, x, margin.left, width - margin.right),
    y: (value) => place(value, y, height - margin.bottom, margin.top),
  };
}

export const coordinate = (value: number) => value.toFixed(1);

/** Returns the path through points, interrupted at gaps. */
export function linePath(points: readonly Point[], scales: Scales): string {
  let path = "";
  let down = false;
  for (const { x, y } of points) {
    if (y === null || !Number.isFinite(y)) {
      down = false;
      continue;
    }
    path += `${down ? "L" : "M"}${coordinate(scales.x(x))} ${coordinate(scales.y(y))}`;
    down = true;
  }
  return path;
}

/** Returns the path of values that hold until the next one, interrupted at gaps. */
export function stepPath(points: readonly Point[], scales: Scales): string {
  let path = "";
  let before: number | null = null;
  for (const { x, y } of points) {
    const [placeX, placeY] = [coordinate(scales.x(x)), y !== null && Number.isFinite(y) ? scales.y(y) : null];
    // A value also holds up to the gap behind it.
    if (before !== null) path += `H${placeX}`;
    if (placeY !== null) path += before === null ? `M${placeX} ${coordinate(placeY)}` : `V${coordinate(placeY)}`;
    before = placeY;
  }
  return path;
}

/** Returns the path around the area between two lines. */
export function areaPath(
  xs: readonly number[],
  low: readonly number[],
  high: readonly number[],
  scales: Scales,
): string {
  const at = (index: number, values: readonly number[]) =>
    `${coordinate(scales.x(xs[index] as number))} ${coordinate(scales.y(values[index] as number))}`;
  const there = xs.map((_, index) => at(index, high));
  const back = xs.map((_, index) => at(index, low)).reverse();
  return `M${[...there, ...back].join("L")}Z`;
}

/** Returns the stretches of places at which both edges of a band are known. */
export function knownRuns(low: readonly (number | null)[], high: readonly (number | null)[]): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  for (let index = 0; index <= low.length; index += 1) {
    const isKnown = [low[index], high[index]].every((value) => value != null && Number.isFinite(value));
    if (isKnown) run.push(index);
    else if (run.length > 0) {
      runs.push(run);
      run = [];
    }
  }
  return runs;
}

const tickSteps = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 3, 6, 12, 24, 48, 96, 168].map((hours) => hours * hourMs),
];

/**
 * Returns up to ten full minutes, hours, days or weeks within a span of time.
 * @param minStepMs shortest distance of two of them
 */
export function timeTicks(fromMs: number, toMs: number, minStepMs = minuteMs): number[] {
  const spanMs = toMs - fromMs;
  const everyMs = tickSteps.find((ms) => ms >= minStepMs && spanMs / ms <= 9);
  const tickMs = everyMs ?? Math.ceil(spanMs / 9 / weekMs) * weekMs;
  const ticks: number[] = [];
  for (let atMs = Math.ceil(fromMs / tickMs) * tickMs; atMs <= toMs; atMs += tickMs) ticks.push(atMs);
  return ticks;
}
