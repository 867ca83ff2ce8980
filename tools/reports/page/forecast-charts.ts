import type { BacktestRow } from "#forecast/judge/judge-replay.ts";
import type { ChartSeries, XAxis } from "#platform/page/chart-parts.tsx";
import { formatNumber, formatTime } from "#platform/page/format.ts";
import type { SvgChartProps } from "#platform/page/picture/svg-chart.tsx";
import { timeTicks } from "#platform/page/picture/svg-scale.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import type { CalibrationPoint, FanForecast } from "../forecast/report-figures.ts";

export interface TimeAxis {
  readonly startMs: number;
  readonly stepMs: number;
  readonly timeZone: string;
}

type Drawing = Pick<SvgChartProps, "title" | "unit" | "times" | "series" | "xAxis"> &
  Partial<Pick<SvgChartProps, "bands" | "xTicks" | "maxValue" | "width" | "height">>;

const largest = (values: readonly (number | null)[]) =>
  values.reduce<number>((max, value) => (value !== null && Number.isFinite(value) ? Math.max(max, value) : max), 0);

function overTime({ startMs, stepMs, timeZone }: TimeAxis, places: readonly number[]) {
  const times = places.map((place) => startMs + place * stepMs);
  const xAxis: XAxis = { label: `time (${timeZone})`, format: (ms) => formatTime(ms, "day", timeZone) };
  return { times, xAxis, xTicks: timeTicks(times[0] ?? startMs, times.at(-1) ?? startMs) };
}

/** Draws the actual rates over the champion's forecasts as fans. */
export function fanChart(
  axis: TimeAxis,
  qps: readonly (number | null)[],
  stretch: { readonly from: number; readonly to: number },
  fans: readonly FanForecast[],
): Drawing {
  const { from, to } = stretch;
  const actual = qps.slice(from, to);
  const bands = new Map(fans.flatMap(({ origin, bands: steps }) => steps.map((band, step) => [origin + step, band])));
  const places = actual.map((_, index) => from + index);
  const quantile = (which: number) => places.map((place) => bands.get(place)?.[which] ?? null);
  const edge = (label: string, which: number): ChartSeries => ({
    ...{ label, values: quantile(which), color: "--c1", isEdge: true },
  });
  // One fan may reach very high: the scale ends at twice the highest actual rate.
  return {
    ...{ title: "Forecast fans against actual rates", unit: "requests/s", ...overTime(axis, places) },
    maxValue: 2 * largest(actual),
    series: [
      edge("0.05 quantile", 0),
      edge("0.95 quantile", 4),
      edge("0.1 quantile", 1),
      edge("0.9 quantile", 3),
      { label: "forecast (median)", values: quantile(2), color: "--c1" },
      { label: "actual", values: actual, color: "--c6" },
    ],
    bands: [
      { upper: 1, lower: 0, color: "--c1", label: "5 % to 95 %, darker 10 % to 90 %" },
      { upper: 3, lower: 2, color: "--c1" },
    ],
  };
}

/** A place without a value where the one before it is more than three median steps away: nothing was judged in between. */
function withGaps<T extends { readonly origin: number }>(places: readonly T[]): (T | { origin: number; gap: true })[] {
  const steps = places.slice(1).map(({ origin }, index) => origin - (places[index] as T).origin);
  const median = steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 1;
  return places.flatMap((place, index) =>
    index > 0 && (steps[index - 1] as number) > 3 * median
      ? [{ origin: place.origin - median, gap: true } as const, place]
      : [place],
  );
}

/** Draws the peaks of the judged part and their forecast bound. */
export function peakChart(
  axis: TimeAxis,
  peaks: readonly { origin: number; actual: number; upper: number }[],
): Drawing {
  const places = withGaps(peaks);
  const values = (figure: "upper" | "actual") => places.map((place) => ("gap" in place ? null : place[figure]));
  const broken = places.map((place) => ("gap" in place || place.actual <= place.upper ? null : place.actual));
  return {
    ...{ title: "Peaks and their 0.95 quantile", unit: "requests/s", height: 220 },
    ...overTime(
      axis,
      places.map(({ origin }) => origin),
    ),
    maxValue: 2 * largest(peaks.map(({ actual }) => actual)),
    series: [
      { label: "its 0.95 quantile, forecast", values: values("upper"), color: "--c1" },
      { label: "highest step, actual", values: values("actual"), color: "--c6" },
      { label: "above the bound", values: broken, color: "--c-limit", kind: "points" },
    ],
  };
}

/** Model that the champion is compared with. */
type Rival = { readonly name: string; readonly values: readonly (number | null)[] } | null;

const half = { width: 560, height: 260 } as const;

function compared(champion: readonly (number | null)[], other: Rival): ChartSeries[] {
  return [
    { label: "champion", values: champion, color: "--c1", kind: "bars" },
    ...(other === null
      ? []
      : [{ label: other.name, values: other.values, color: "--c2", kind: "points" } satisfies ChartSeries]),
  ];
}

/** Draws the error (%) by hour of the day, of the champion beside another model; null: no forecast in that hour. */
export function hourChart(champion: readonly (number | null)[], other: Rival, timeZone: string): Drawing {
  const times = champion.map((_, hour) => hour);
  return {
    ...{ ...half, title: "Error by hour of day", unit: "WAPE, %", times, series: compared(champion, other) },
    xAxis: { label: `hour of day (${timeZone})`, format: String },
    xTicks: times.filter((hour) => hour % 3 === 0),
  };
}

/** Draws the error (%) by step ahead, of the champion beside another model. */
export function stepChart(champion: readonly (number | null)[], other: Rival, stepMs: number): Drawing {
  const isShort = stepMs < minuteMs;
  const times = champion.map((_, step) => ((step + 1) * stepMs) / (isShort ? secondMs : minuteMs));
  const every = Math.max(1, Math.ceil(times.length / 15));
  return {
    ...{ ...half, title: "Error by time ahead", unit: "WAPE, %", times, series: compared(champion, other) },
    xAxis: { label: `${isShort ? "seconds" : "minutes"} ahead`, format: (value) => formatNumber(value, 6) },
    xTicks: times.filter((_, index) => index % every === 0),
  };
}

/** Draws nominal against actual coverage: of the champion's quantiles, and of those by the spread about its median. */
export function calibrationChart(own: readonly CalibrationPoint[], spread: readonly CalibrationPoint[]): Drawing {
  const times = [...new Set([0, 100, ...[...own, ...spread].map(({ nominal }) => 100 * nominal)])].sort(
    (a, b) => a - b,
  );
  const valuesOf = (points: readonly CalibrationPoint[]) =>
    times.map((at) => {
      const found = points.find(({ nominal }) => 100 * nominal === at);
      return found === undefined ? null : 100 * found.observed;
    });
  // Without gaps at the places of the others.
  const line = valuesOf(spread);
  const known = times.map((at, index) => ({ at, value: line[index] ?? null })).filter(({ value }) => value !== null);
  const filled = times.map((at, index) => {
    if (line[index] !== null) return line[index] ?? null;
    const before = known.findLast((each) => each.at < at);
    const after = known.find((each) => each.at > at);
    if (before === undefined || after === undefined) return null;
    const share = (at - before.at) / (after.at - before.at);
    return (before.value ?? 0) + share * ((after.value ?? 0) - (before.value ?? 0));
  });
  return {
    ...{ ...half, title: "Calibration", unit: "covered share, %", times },
    xAxis: { label: "nominal share of peaks, %", format: (value) => `${formatNumber(value)} %` },
    xTicks: [0, 25, 50, 75, 100],
    series: [
      { label: "ideal", values: times, color: "--c-idle", isDashed: true },
      { label: "spread about its median", values: filled, color: "--c1" },
      { label: "the champion's quantiles", values: valuesOf(own), color: "--c2", kind: "points" },
    ],
  };
}

/** The models' pinball losses of the peak, the smallest first. */
export function modelBars(rows: readonly Pick<BacktestRow, "model" | "peakPinballPercent">[]) {
  return [...rows]
    .sort((a, b) => a.peakPinballPercent - b.peakPinballPercent)
    .map(({ model, peakPinballPercent: value }) => ({ name: model, value, text: `${value.toFixed(2)} %` }));
}
