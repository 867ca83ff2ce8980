import { dayMs, hourMs, minuteMs, secondMs } from "#platform/time.ts";
import type { CalibrationPoint, FanForecast } from "./report-figures.ts";
import { areaPath, type ChartFrame, linePath, niceTicks, renderChart, type Tick } from "./svg-chart.ts";

const wide = { width: 960, height: 300 };
const half = { width: 470, height: 280 };

export interface TimeAxis {
  readonly startMs: number;
  readonly stepMs: number;
  readonly timeZone: string;
}

function timeTicks(axis: TimeAxis, from: number, to: number): Tick[] {
  const spanMs = (to - from) * axis.stepMs;
  const weekMs = 7 * dayMs;
  const everyMs = [1, 2, 3, 6, 12, 24, 48, 168].map((hours) => hours * hourMs).find((ms) => spanMs / ms <= 9);
  const tickMs = everyMs ?? Math.ceil(spanMs / 9 / weekMs) * weekMs;
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: axis.timeZone,
    month: "short",
    day: "numeric",
    ...(tickMs < dayMs ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : {}),
  });
  const ticks: Tick[] = [];
  const fromMs = axis.startMs + from * axis.stepMs;
  for (let timeMs = Math.ceil(fromMs / tickMs) * tickMs; timeMs <= fromMs + spanMs; timeMs += tickMs) {
    ticks.push({ at: (timeMs - axis.startMs) / axis.stepMs, label: format.format(timeMs) });
  }
  return ticks;
}

function amountAxis(highest: number, suffix = ""): Pick<ChartFrame, "y" | "yTicks"> {
  const ticks = niceTicks(0, highest > 0 ? highest : 1);
  return { y: [0, ticks.at(-1) ?? 1], yTicks: ticks.map((at) => ({ at, label: `${at}${suffix}` })) };
}

const largest = (values: readonly (number | null)[]) =>
  values.reduce<number>((max, value) => (value !== null && Number.isFinite(value) ? Math.max(max, value) : max), 0);

/** Draws the actual rates over the champion's forecasts as fans. */
export function fanChart(
  axis: TimeAxis,
  qps: readonly (number | null)[],
  stretch: { readonly from: number; readonly to: number },
  fans: readonly FanForecast[],
): string {
  const { from, to } = stretch;
  const actual = qps.slice(from, to);
  // One fan may reach very high: the scale ends at twice the highest actual rate.
  const highest = Math.max(
    largest(actual),
    Math.min(2 * largest(actual), largest(fans.flatMap(({ bands }) => bands.map((band) => band[4] ?? null)))),
  );
  const frame: ChartFrame = {
    ...wide,
    title: "Forecast fans against actual rates",
    x: [from, to - 1],
    ...amountAxis(highest),
    xTicks: timeTicks(axis, from, to - 1),
    xLabel: `time (${axis.timeZone})`,
    yLabel: "requests per second",
  };
  return renderChart(frame, (scales) => {
    const inside = { ...scales, y: (value: number) => Math.max(scales.y(frame.y[1]), scales.y(value)) };
    const drawn = fans.map(({ origin, bands }) => {
      // Steps have a width: a fan reaches half a step beyond the centres of its first and last.
      const places = [-0.5, ...bands.keys(), bands.length - 0.5].filter((place) => origin + place <= to - 0.5);
      const xs = places.map((place) => Math.min(Math.max(origin + place, from), to - 1));
      const column = (index: number) =>
        places.map((place) => bands[Math.min(Math.max(0, Math.floor(place)), bands.length - 1)]?.[index] as number);
      const medians = column(2);
      const median = xs.map((x, step) => ({ x, y: medians[step] ?? null }));
      return [
        `<path class="band outer" d="${areaPath(xs, column(0), column(4), inside)}"/>`,
        `<path class="band inner" d="${areaPath(xs, column(1), column(3), inside)}"/>`,
        `<path class="line forecast" d="${linePath(median, inside)}"/>`,
      ].join("");
    });
    const line = linePath(
      actual.map((y, index) => ({ x: from + index, y })),
      inside,
    );
    return `${drawn.join("\n")}\n<path class="line actual" d="${line}"/>`;
  });
}

/** Adds a gap wherever two places are more than three median steps apart: nothing was judged in between. */
function withGaps<T extends { readonly origin: number }>(places: readonly T[]): (T | { origin: number; gap: true })[] {
  const steps = places.slice(1).map(({ origin }, index) => origin - (places[index] as T).origin);
  const median = steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 1;
  return places.flatMap((place, index) =>
    index > 0 && (steps[index - 1] as number) > 3 * median
      ? [{ origin: place.origin, gap: true } as const, place]
      : [place],
  );
}

/** Draws the peaks of the judged part and their forecast bound. */
export function peakChart(axis: TimeAxis, peaks: readonly { origin: number; actual: number; upper: number }[]): string {
  const from = peaks[0]?.origin ?? 0;
  const to = peaks.at(-1)?.origin ?? 1;
  const highest = largest(peaks.map(({ actual }) => actual));
  const frame: ChartFrame = {
    ...wide,
    height: 240,
    title: "Peaks and their 0.95 quantile",
    x: [from, to],
    ...amountAxis(Math.max(highest, Math.min(2 * highest, largest(peaks.map(({ upper }) => upper))))),
    xTicks: timeTicks(axis, from, to),
    xLabel: `time (${axis.timeZone})`,
    yLabel: "requests per second",
  };
  return renderChart(frame, (scales) => {
    const inside = { ...scales, y: (value: number) => Math.max(scales.y(frame.y[1]), scales.y(value)) };
    const line = (figure: "upper" | "actual") =>
      linePath(
        withGaps(peaks).map((place) => ({ x: place.origin, y: "gap" in place ? null : place[figure] })),
        inside,
      );
    const broken = peaks
      .filter((peak) => peak.actual > peak.upper)
      .map(
        ({ origin, actual: y }) =>
          `<circle class="broken" cx="${inside.x(origin).toFixed(1)}" cy="${inside.y(y).toFixed(1)}" r="2"/>`,
      );
    return `<path class="line forecast" d="${line("upper")}"/>\n<path class="line actual" d="${line("actual")}"/>\n${broken.join("")}`;
  });
}

/** Model that the champion is compared with. */
type Rival = { readonly name: string; readonly values: readonly (number | null)[] } | null;

/** Draws two series of percentages by slot: bars for the champion, marks for the model it is compared with. */
function comparedBars(
  title: string,
  xLabel: string,
  slots: readonly string[],
  every: number,
  champion: readonly (number | null)[],
  other: Rival,
): string {
  const highest = largest([...champion, ...(other?.values ?? [])]);
  const frame: ChartFrame = {
    ...half,
    title,
    x: [-0.5, slots.length - 0.5],
    ...amountAxis(highest, " %"),
    xTicks: slots.flatMap((label, at) => (at % every === 0 ? [{ at, label }] : [])),
    xLabel,
    yLabel: "WAPE",
  };
  return renderChart(frame, (scales) => {
    const width = (scales.x(1) - scales.x(0)) * 0.72;
    const bars = champion.map((value, slot) => {
      if (value === null) return "";
      const top = scales.y(value);
      const tip = `${slots[slot]}: champion ${value.toFixed(1)} %${other === null ? "" : `, ${other.name} ${other.values[slot]?.toFixed(1) ?? "-"} %`}`;
      return `<rect class="bar" x="${(scales.x(slot) - width / 2).toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${(scales.y(0) - top).toFixed(1)}" rx="1.5"><title>${tip}</title></rect>`;
    });
    const marks = (other?.values ?? []).map((value, slot) =>
      value === null
        ? ""
        : `<line class="mark" x1="${(scales.x(slot) - width / 2).toFixed(1)}" x2="${(scales.x(slot) + width / 2).toFixed(1)}" y1="${scales.y(value).toFixed(1)}" y2="${scales.y(value).toFixed(1)}"/>`,
    );
    return [...bars, ...marks].join("");
  });
}

/** Draws the error (%) by hour of the day, of the champion beside another model; null: no forecast in that hour. */
export function hourChart(champion: readonly (number | null)[], other: Rival, timeZone: string): string {
  const slots = champion.map((_, hour) => String(hour));
  return comparedBars("Error by hour of day", `hour of day (${timeZone})`, slots, 3, champion, other);
}

/** Draws the error (%) by step ahead, of the champion beside another model. */
export function stepChart(champion: readonly (number | null)[], other: Rival, stepMs: number): string {
  const seconds = stepMs < minuteMs;
  const slots = champion.map((_, step) => String(((step + 1) * stepMs) / (seconds ? secondMs : minuteMs)));
  const every = Math.max(1, Math.ceil(slots.length / 15));
  return comparedBars("Error by time ahead", `${seconds ? "seconds" : "minutes"} ahead`, slots, every, champion, other);
}

/** Draws nominal against actual coverage: of the champion's quantiles, and of those by the spread about its median. */
export function calibrationChart(own: readonly CalibrationPoint[], spread: readonly CalibrationPoint[]): string {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, label: `${at * 100} %` }));
  const frame: ChartFrame = {
    ...half,
    title: "Calibration",
    x: [0, 1],
    y: [0, 1],
    xTicks: ticks,
    yTicks: ticks,
    xLabel: "nominal share of peaks",
    yLabel: "covered share",
  };
  return renderChart(frame, (scales) => {
    const pathOf = (points: readonly CalibrationPoint[]) =>
      linePath(
        points.map(({ nominal, observed }) => ({ x: nominal, y: observed })),
        scales,
      );
    const ideal = pathOf([0, 1].map((share) => ({ nominal: share, observed: share })));
    const dots = own.map(
      ({ nominal, observed }) =>
        `<circle class="dot" cx="${scales.x(nominal).toFixed(1)}" cy="${scales.y(observed).toFixed(1)}" r="3.5"><title>nominal ${(100 * nominal).toFixed(0)} %, covered ${(100 * observed).toFixed(1)} %</title></circle>`,
    );
    return `<path class="ideal" d="${ideal}"/><path class="line forecast" d="${pathOf(spread)}"/>${dots.join("")}`;
  });
}

/** Draws the models' pinball losses of the peak, the smallest first. */
export function modelChart(rows: readonly { model: string; peakPinballPercent: number }[]): string {
  const sorted = [...rows].sort((a, b) => a.peakPinballPercent - b.peakPinballPercent);
  const highest = largest(sorted.map(({ peakPinballPercent }) => peakPinballPercent)) || 1;
  const rowHeight = 24;
  const [left, barWidth] = [150, 250];
  const bars = sorted.map(({ model, peakPinballPercent: value }, index) => {
    const y = 8 + index * rowHeight;
    const width = (barWidth * value) / highest;
    return `<text class="name" x="${left - 8}" y="${y + 12}" text-anchor="end">${model}</text><rect class="bar ${model === "champion" ? "" : "muted"}" x="${left}" y="${y + 1}" width="${width.toFixed(1)}" height="15" rx="1.5"/><text class="tick" x="${(left + width + 6).toFixed(1)}" y="${y + 12}">${value.toFixed(2)} %</text>`;
  });
  const height = 16 + sorted.length * rowHeight;
  return `<svg viewBox="0 0 470 ${Math.max(height, 280)}" role="img" aria-label="Pinball loss by model">\n${bars.join("\n")}\n</svg>`;
}
