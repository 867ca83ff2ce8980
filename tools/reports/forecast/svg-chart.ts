import { cleanText } from "#platform/clean-text.ts";

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return cleanText(text, null).replace(/[&<>"']/g, (character) => entities[character] as string);
}

export interface Point {
  readonly x: number;
  /** null: a gap in the line. */
  readonly y: number | null;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface ChartFrame {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
  readonly xTicks: readonly Tick[];
  readonly yTicks: readonly Tick[];
  readonly xLabel: string;
  readonly yLabel: string;
}

/** Conversion from data to coordinates in the picture. */
export interface Scales {
  x(value: number): number;
  y(value: number): number;
}

const margin = { left: 56, right: 16, top: 10, bottom: 40 };
/** Width beyond which a chart is scrolled in a narrow window rather than made too small to read. */
const narrowWidth = 600;
/** Half the width of a character in the axes' labels. */
const labelHalfWidth = 3.2;

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

export function scalesOf({ width, height, x, y }: ChartFrame): Scales {
  const place = (value: number, [from, to]: readonly [number, number], start: number, end: number) =>
    to === from ? start : start + ((value - from) / (to - from)) * (end - start);
  return {
    x: (value) => place(value, x, margin.left, width - margin.right),
    y: (value) => place(value, y, height - margin.bottom, margin.top),
  };
}

const coordinate = (value: number) => value.toFixed(1);

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

/** Renders a chart: grid, axes, and the drawing inside. */
export function renderChart(frame: ChartFrame, draw: (scales: Scales) => string): string {
  const { width, height, title, xLabel, yLabel } = frame;
  const scales = scalesOf(frame);
  const [left, right, bottom] = [margin.left, width - margin.right, height - margin.bottom];
  const rows = frame.yTicks.map(({ at, label }) => {
    const y = coordinate(scales.y(at));
    return `<line class="grid" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/><text class="tick" x="${left - 8}" y="${y}" dy="0.32em" text-anchor="end">${escapeHtml(label)}</text>`;
  });
  const columns = frame.xTicks.map(({ at, label }) => {
    const x = coordinate(scales.x(at));
    // A centred label would be cut off at the edge of the picture.
    const anchor = scales.x(at) + label.length * labelHalfWidth > width ? "end" : "middle";
    return `<line class="axis" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}"/><text class="tick" x="${x}" y="${bottom + 16}" text-anchor="${anchor}">${escapeHtml(label)}</text>`;
  });
  return [
    `<div class="plot"><svg${width > narrowWidth ? ' class="wide"' : ""} viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">`,
    ...rows,
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...columns,
    `<text class="label" x="${(left + right) / 2}" y="${height - 4}" text-anchor="middle">${escapeHtml(xLabel)}</text>`,
    `<text class="label" transform="translate(12 ${(margin.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(yLabel)}</text>`,
    draw(scales),
    "</svg></div>",
  ].join("\n");
}
