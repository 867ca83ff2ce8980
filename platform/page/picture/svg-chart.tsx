import type { ComponentChildren } from "preact";
import { type ChartProps, type ChartSeries, ChartTable, Legend, type XAxis } from "../chart-parts.tsx";
import { formatNumber } from "../format.ts";
import {
  areaPath,
  type ChartFrame,
  coordinate,
  knownRuns,
  linePath,
  niceTicks,
  type Scales,
  scalesOf,
} from "./svg-scale.ts";

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

const known = (values: readonly (number | null)[]) =>
  values.filter((value): value is number => value !== null && Number.isFinite(value));

const largest = (series: readonly ChartSeries[]) =>
  series.reduce((most, { values }) => known(values).reduce((max, value) => Math.max(max, value), most), 0);

/** Distance between neighbouring places, for the width of bars. */
function stepOf(times: readonly number[]): number {
  const steps = times.slice(1).map((at, index) => at - (times[index] as number));
  return steps.length === 0 ? 1 : Math.min(...steps);
}

function Drawn({
  each,
  times,
  scales,
  foot,
}: {
  readonly each: ChartSeries;
  readonly times: readonly number[];
  readonly scales: Scales;
  readonly foot: number;
}) {
  const { label, values, color, kind = "line", isDashed, isEdge } = each;
  if (isEdge) return null;
  const stroke = { stroke: `var(${color})`, fill: "none" };
  const dotAt = (x: number, y: number) =>
    linePath(
      [
        { x, y },
        { x, y },
      ],
      scales,
    );
  const points = times.map((x, index) => ({ x, y: values[index] ?? null }));
  if (kind === "bars") {
    const width = 0.72 * (scales.x(stepOf(times)) - scales.x(0));
    return (
      <g style={{ fill: `var(${color})` }}>
        {points.map(({ x, y }) =>
          y === null || !Number.isFinite(y) ? null : (
            <rect
              key={x}
              x={coordinate(scales.x(x) - width / 2)}
              y={coordinate(scales.y(y))}
              width={coordinate(width)}
              height={coordinate(Math.max(0, foot - scales.y(y)))}
            >
              <title>
                {label} {formatNumber(y)}
              </title>
            </rect>
          ),
        )}
      </g>
    );
  }
  if (kind === "points")
    return (
      <g style={{ stroke: `var(${color})` }}>
        {points.map(({ x, y }) =>
          y === null || !Number.isFinite(y) ? null : <path key={x} class="dot" d={dotAt(x, y)} />,
        )}
      </g>
    );
  const path = linePath(points, scales);
  return (
    <>
      {kind === "area"
        ? knownRuns(values, values).map((run) => (
            <path
              key={run[0]}
              style={{ fill: `var(${color})`, fillOpacity: 0.18 }}
              d={areaPath(
                run.map((index) => times[index] as number),
                run.map(() => 0),
                run.map((index) => values[index] as number),
                scales,
              )}
            />
          ))
        : null}
      {path === "" ? null : (
        <path class="line" style={stroke} stroke-dasharray={isDashed ? "5 4" : undefined} stroke-width="1.5" d={path} />
      )}
    </>
  );
}

/** Keeps as many places as have room for their labels beside each other. */
function fitting(places: readonly number[], { format }: XAxis, widthPx: number): readonly number[] {
  const longestPx = 14 + 6.2 * Math.max(0, ...places.map((place) => format(place).length));
  const every = Math.max(1, Math.ceil((places.length * longestPx) / widthPx));
  return places.filter((_, index) => index % every === 0);
}

/** Width that a picture has at least, on a phone. */
const narrowPx = 210;

/** Labels around the picture: as text of the page they keep their size, however narrow that is. */
function Labels({
  scales,
  xAxis,
  xTicks,
  yTicks,
  width,
  height,
}: {
  readonly scales: Scales;
  readonly xAxis: XAxis;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly width: number;
  readonly height: number;
}) {
  const onPhone = fitting(xTicks, xAxis, narrowPx);
  const share = (value: number, of: number) => `${((100 * value) / of).toFixed(2)}%`;
  return (
    <div aria-hidden="true">
      {yTicks.map((at) => (
        <span key={at} class="y-tick" style={{ top: share(scales.y(at), height) }}>
          {formatNumber(at)}
        </span>
      ))}
      {xTicks.map((at) => (
        <span
          key={at}
          class={onPhone.includes(at) ? "x-tick" : "x-tick minor"}
          style={{ left: share(scales.x(at), width) }}
        >
          {xAxis.format(at)}
        </span>
      ))}
    </div>
  );
}

/** A chart as a picture, for files in which nothing runs; its values are in a table that can be opened. */
export function SvgChart(props: SvgChartProps) {
  const { title, finding, unit, times, series, bands = [], xAxis, width = 960, height = 260, children } = props;
  const hasBars = series.some(({ kind }) => kind === "bars");
  const half = hasBars ? stepOf(times) / 2 : 0;
  const [first = 0, last = 1] = [times[0], times.at(-1)];
  const yTicks = niceTicks(
    0,
    Math.max(props.scaleTo ?? 0, Math.min(largest(series), props.maxValue ?? Number.POSITIVE_INFINITY)) || 1,
  );
  const top = yTicks.at(-1) ?? 1;
  const frame: ChartFrame = { width, height, x: [first - half, last + half], y: [0, top] };
  const scales = scalesOf(frame);
  const inside: Scales = { ...scales, y: (value) => scales.y(Math.min(top, value)) };
  const wanted = props.xTicks ?? niceTicks(first, last, 8).filter((at) => at >= first && at <= last);
  const xTicks = fitting(wanted, xAxis, width > 600 ? 460 : 220);
  return (
    <figure class="chart card">
      <figcaption>
        <h3>{title}</h3>
        <span class="unit">{unit}</span>
        <span class="finding">{finding}</span>
      </figcaption>
      <div class="plot">
        <svg
          viewBox={`0 0 ${width} ${height}`}
          style={{ height: `${height}px` }}
          preserveAspectRatio="none"
          role="img"
          aria-label={title}
        >
          {yTicks.map((at) => (
            <line
              key={at}
              class="grid-line"
              x1="0"
              x2={width}
              y1={coordinate(scales.y(at))}
              y2={coordinate(scales.y(at))}
            />
          ))}
          {bands.flatMap(({ upper, lower, color }) => {
            const [low, high] = [series[lower]?.values ?? [], series[upper]?.values ?? []];
            return knownRuns(low, high).map((run) => (
              <path
                key={`${upper} ${run[0]}`}
                style={{ fill: `var(${color})`, fillOpacity: 0.22 }}
                d={areaPath(
                  run.map((index) => times[index] as number),
                  run.map((index) => low[index] as number),
                  run.map((index) => high[index] as number),
                  inside,
                )}
              />
            ));
          })}
          {series.map((each) => (
            <Drawn key={each.label} each={each} times={times} scales={inside} foot={scales.y(0)} />
          ))}
        </svg>
        <Labels {...{ scales, xAxis, xTicks, yTicks, width, height }} />
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
