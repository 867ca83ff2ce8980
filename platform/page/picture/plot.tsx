import type { ComponentChildren } from "preact";
import type { ChartBand, ChartSeries } from "../chart-parts.tsx";
import { formatNumber } from "../format.ts";
import { areaPath, coordinate, knownRuns, linePath, type Scales, scalesOf, stepPath } from "./svg-scale.ts";

/** Place on an axis with its label. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface PlotProps {
  readonly times: readonly number[];
  /** Series in the order in which they are drawn. */
  readonly series: readonly ChartSeries[];
  readonly bands?: readonly ChartBand[];
  readonly x: readonly [from: number, to: number];
  /** Value at the upper edge: what is above is cut. */
  readonly top: number;
  readonly xTicks: readonly Tick[];
  readonly yTicks: readonly Tick[];
  readonly height: number;
  readonly width?: number;
  /** True: a bar begins at its place. Default: it stands astride of it. */
  readonly barsBegin?: boolean;
  /** Places that are marked by a line, with a triangle at the foot. */
  readonly marks?: readonly number[];
}

/** Values by which the picture is reckoned; it is stretched to the room that it has. */
const usualWidth = 960;

/** Distance between neighbouring places, for the width of bars. */
export function stepOf(times: readonly number[]): number {
  const steps = times.slice(1).map((at, index) => at - (times[index] as number));
  return steps.length === 0 ? 1 : Math.min(...steps);
}

interface DrawnProps {
  readonly each: ChartSeries;
  readonly times: readonly number[];
  readonly scales: Scales;
  readonly barsBegin: boolean;
}

const isKnown = (value: number | null | undefined): value is number => value != null && Number.isFinite(value);

function Bars({ each: { label, values, color }, times, scales, barsBegin }: DrawnProps) {
  const step = scales.x(stepOf(times)) - scales.x(0);
  const width = (barsBegin ? 0.85 : 0.72) * step;
  const foot = scales.y(0);
  return (
    <g style={{ fill: `var(${color})` }}>
      {times.map((at, index) => {
        const value = values[index];
        if (!isKnown(value)) return null;
        const y = scales.y(value);
        return (
          <rect
            key={at}
            x={coordinate(scales.x(at) - (barsBegin ? 0 : width / 2))}
            y={coordinate(y)}
            width={coordinate(width)}
            height={coordinate(Math.max(0, foot - y))}
          >
            <title>
              {label} {formatNumber(value)}
            </title>
          </rect>
        );
      })}
    </g>
  );
}

function Drawn(props: DrawnProps) {
  const { each, times, scales } = props;
  const { values, color, kind = "line", isDashed, isEdge } = each;
  if (isEdge) return null;
  if (kind === "bars") return <Bars {...props} />;
  const points = times.map((x, index) => ({ x, y: values[index] ?? null }));
  if (kind === "points")
    return (
      <g style={{ stroke: `var(${color})` }}>
        {points.map((point) =>
          isKnown(point.y) ? <path key={point.x} class="dot" d={linePath([point, point], scales)} /> : null,
        )}
      </g>
    );
  const path = kind === "step" ? stepPath(points, scales) : linePath(points, scales);
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
        <path
          class="line"
          style={{ stroke: `var(${color})`, fill: "none" }}
          stroke-dasharray={isDashed ? "5 4" : undefined}
          stroke-width="1.5"
          d={path}
        />
      )}
    </>
  );
}

/** Keeps as many labels as have room beside each other. */
export function fitting(ticks: readonly Tick[], widthPx: number): readonly Tick[] {
  const longestPx = 14 + 6.2 * Math.max(0, ...ticks.map(({ text }) => text.length));
  const every = Math.max(1, Math.ceil((ticks.length * longestPx) / widthPx));
  return ticks.filter((_, index) => index % every === 0);
}

/** Width that a picture has at least, on a phone or beside others. */
const narrowPx = 210;

/** Labels around the picture: as text of the page they keep their size, however narrow that is. */
function Labels({ scales, xTicks, yTicks, width, height, marks }: Omit<Required<PlotProps>, LabelLess> & WithScales) {
  const whenNarrow = fitting(xTicks, narrowPx);
  const share = (value: number, of: number) => `${((100 * value) / of).toFixed(2)}%`;
  return (
    <div aria-hidden="true">
      {yTicks.map(({ at, text }) => (
        <span key={at} class="y-tick" style={{ top: share(scales.y(at), height) }}>
          {text}
        </span>
      ))}
      {xTicks.map((tick) => (
        <span
          key={tick.at}
          class={whenNarrow.includes(tick) ? "x-tick" : "x-tick minor-tick"}
          style={{ left: share(scales.x(tick.at), width) }}
        >
          {tick.text}
        </span>
      ))}
      {marks.map((at) => (
        <i key={at} class="mark" style={{ left: share(scales.x(at), width) }} />
      ))}
    </div>
  );
}

type LabelLess = "times" | "series" | "bands" | "x" | "top" | "barsBegin";
interface WithScales {
  readonly scales: Scales;
}

/** Drawn content of a plot, which stays the same as long as its values do. */
export interface Drawing {
  readonly image: ComponentChildren;
  readonly labels: ComponentChildren;
  readonly width: number;
  readonly height: number;
}

/** Draws series with a grid, and the labels of its axes. */
export function drawPlot(props: PlotProps): Drawing {
  const { times, series, bands = [], x, top, xTicks, yTicks, height, width = usualWidth, marks = [] } = props;
  const scales = scalesOf({ width, height, x, y: [0, top] });
  const inside: Scales = { ...scales, y: (value) => scales.y(Math.min(top, value)) };
  const lineAt = (at: number, place: string) => (
    <line key={at} class="grid-line" x1="0" x2={width} y1={place} y2={place} />
  );
  const image = (
    <>
      {yTicks.map(({ at }) => lineAt(at, coordinate(scales.y(at))))}
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
        <Drawn key={each.label} each={each} times={times} scales={inside} barsBegin={props.barsBegin ?? false} />
      ))}
      {marks.map((at) => (
        <path key={at} class="mark-line" d={`M${coordinate(scales.x(at))} 0V${height}`} />
      ))}
    </>
  );
  return { image, labels: <Labels {...{ scales, xTicks, yTicks, width, height, marks }} />, width, height };
}

/** Shows a drawing as an image that takes the width that there is. @param label its name for readers */
export const Plot = ({ label, drawing }: { readonly label: string; readonly drawing: Drawing }) => (
  <>
    <svg
      viewBox={`0 0 ${drawing.width} ${drawing.height}`}
      style={{ height: `${drawing.height}px` }}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {drawing.image}
    </svg>
    {drawing.labels}
  </>
);
