import type { ComponentChildren } from "preact";
import { formatNumber } from "./format.ts";
import { timeText } from "./time-zone.ts";

/** Colours of series, custom properties of the style sheet. */
export type ChartColor =
  | ("--c1" | "--c2" | "--c3" | "--c4" | "--c5" | "--c6" | "--c7")
  | ("--c-limit" | "--c-idle" | "--c-other");

export interface ChartSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly color: ChartColor;
  /** Default: a line. `area`: filled to 0. `step`: holds until the next value. `points`: not joined. */
  readonly kind?: "line" | "area" | "step" | "bars" | "points";
  readonly isDashed?: boolean;
  /** True: an edge of a band, without a line or an entry of the legend of its own. */
  readonly isEdge?: boolean;
}

/** Area between two series, by their places. */
export interface ChartBand {
  readonly upper: number;
  readonly lower: number;
  readonly color: ChartColor;
  /** Meaning of the area, for the legend. */
  readonly label?: string;
}

/** Moment on a chart that one can open. */
export interface ChartMarker {
  readonly atMs: number;
  readonly label: string;
  readonly href: string;
}

export interface ChartProps {
  readonly title: string;
  /** Sentence that says what the chart shows: "p95 22 ms, limit 30 ms". */
  readonly finding: string;
  readonly unit: string;
  /** Times in ms. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly bands?: readonly ChartBand[];
  readonly markers?: readonly ChartMarker[];
  /** True: bars stand upon each other, the first at the foot. */
  readonly isStacked?: boolean;
  readonly height?: number;
  /** Charts of one group show the same moment under the pointer. */
  readonly group?: string;
  /** Choices beside the title. */
  readonly tools?: ComponentChildren;
  readonly formatValue?: (value: number | null) => string;
  /** Span of the time axis; default: that of the values. */
  readonly span?: readonly [fromMs: number, toMs: number];
}

/** Highest value of series; 0 where there is none. */
export function highestOf(series: readonly ChartSeries[]): number {
  let highest = 0;
  for (const { values } of series)
    for (const value of values) if (value !== null && Number.isFinite(value) && value > highest) highest = value;
  return highest;
}

/** Data of a chart over time. */
export type ChartData = Pick<ChartProps, "times" | "series" | "bands">;

/** Axis of a chart that is not over time, or over time in a zone of its own. */
export interface XAxis {
  readonly label: string;
  readonly format: (value: number) => string;
}

const timeAxis: XAxis = { label: "time", format: (ms) => timeText(ms, "day") };

/** Values of a chart as a table: of many the newest. */
export function ChartTable({
  title,
  unit,
  times,
  series,
  xAxis = timeAxis,
}: Pick<ChartProps, "title" | "unit" | "times" | "series"> & { readonly xAxis?: XAxis }) {
  const shown = times.length > 200 ? times.slice(-200) : times;
  const skipped = times.length - shown.length;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class="scroll chart-table" tabIndex={0} aria-label={`${title}, as a table`}>
      <table>
        <caption>
          {title}, {unit}
          {skipped > 0 ? `; the last ${shown.length} of ${times.length} values` : ""}
        </caption>
        <thead>
          <tr>
            <th scope="col">{xAxis.label}</th>
            {series.map(({ label }) => (
              <th scope="col" class="number" key={label}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((ms, row) => (
            <tr key={ms}>
              <th scope="row">{xAxis.format(ms)}</th>
              {series.map(({ label, values }) => (
                <td class="number" key={label}>
                  {formatNumber(values[row + skipped])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Names and colours of series, with their values at one place. */
export function Legend({ props, index }: { readonly props: ChartProps; readonly index: number | null }) {
  const isAlone = props.series.filter(({ isEdge }) => !isEdge).length === 1;
  const { series, times, unit, formatValue = (value: number | null) => formatNumber(value) } = props;
  return (
    <p class="legend">
      <span class="legend-time">{index === null ? "" : timeText(times[index], "day")}</span>
      {series.map(({ label, color, isDashed, isEdge, values }) =>
        isEdge || (isAlone && index === null) ? null : (
          <span key={label} class="legend-entry">
            <span class={`swatch${isDashed ? " dashed" : ""} fill${color}`} aria-hidden="true" />
            {label}
            {index === null ? null : (
              <b>
                {" "}
                {formatValue(values[index] ?? null)} {unit}
              </b>
            )}
          </span>
        ),
      )}
      {(props.bands ?? []).map(({ label, color, upper }) =>
        label === undefined || !props.series[upper]?.values.some((value) => value !== null) ? null : (
          <span key={label} class="legend-entry">
            <span class={`swatch band fill${color}`} aria-hidden="true" />
            {label}
          </span>
        ),
      )}
    </p>
  );
}
