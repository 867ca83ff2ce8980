import type { ComponentChildren } from "preact";
import { type ChartProps, ChartTable, highestOf, Legend, type XAxis } from "../chart-parts.tsx";
import { formatNumber } from "../format.ts";
import { drawPlot, fitting, Plot, stepOf } from "./plot.tsx";
import { niceTicks } from "./svg-scale.ts";

export interface SvgChartProps extends Pick<ChartProps, "title" | "finding" | "unit" | "times" | "series" | "bands"> {
  readonly xAxis: XAxis;
  /** Places with a label on the axis. Default: round numbers. */
  readonly xTicks?: readonly number[];
  readonly width?: number;
  readonly height?: number;
  /** Highest value that is drawn: what is above is cut at the edge. Default: the highest there is. */
  readonly maxValue?: number;
  /** Value that the scale reaches at least, so that charts can be compared by eye. */
  readonly scaleTo?: number;
  /** Text below the chart. */
  readonly children?: ComponentChildren;
}

/** A chart as a picture, for files in which nothing runs; its values are in a table that can be opened. */
export function SvgChart(props: SvgChartProps) {
  const { title, finding, unit, times, series, bands = [], xAxis, width = 960, height = 260, children } = props;
  const hasBars = series.some(({ kind }) => kind === "bars");
  const half = hasBars ? stepOf(times) / 2 : 0;
  const [first = 0, last = 1] = [times[0], times.at(-1)];
  const yTicks = niceTicks(
    0,
    Math.max(props.scaleTo ?? 0, Math.min(highestOf(series), props.maxValue ?? Number.POSITIVE_INFINITY)) || 1,
  );
  const wanted = props.xTicks ?? niceTicks(first, last, 8).filter((at) => at >= first && at <= last);
  const drawing = drawPlot({
    ...{ times, series, bands, width, height },
    x: [first - half, last + half],
    top: yTicks.at(-1) ?? 1,
    yTicks: yTicks.map((at) => ({ at, text: formatNumber(at) })),
    xTicks: fitting(
      wanted.map((at) => ({ at, text: xAxis.format(at) })),
      width > 600 ? 460 : 220,
    ),
  });
  return (
    <figure class="chart card">
      <figcaption>
        <h3>{title}</h3>
        <span class="unit">{unit}</span>
        <span class="finding">{finding}</span>
      </figcaption>
      <div class="plot">
        <Plot label={title} drawing={drawing} />
      </div>
      <Legend props={props} index={null} />
      <details>
        <summary>{title} as a table</summary>
        <ChartTable title={title} unit={unit} times={times} series={series} xAxis={xAxis} />
      </details>
      {children === undefined ? null : <p class="muted">{children}</p>}
    </figure>
  );
}
