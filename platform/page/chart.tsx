import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type ChartMarker, type ChartProps, type ChartSeries, ChartTable, Legend } from "./chart-parts.tsx";
import { formatNumber, type TimeStyle } from "./format.ts";
import { stackSeries } from "./stack-series.ts";
import { inUtc, timeText } from "./time-zone.ts";
import { goTo } from "./url-state.ts";

const colorOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function faded(name: string, share: number): string {
  return `color-mix(in srgb, ${colorOf(name)} ${Math.round(share * 100)}%, transparent)`;
}

/** Colour that a canvas understands, of one that may be mixed. */
function canvasColor(name: string, share: number): string {
  const probe = document.createElement("canvas").getContext("2d");
  if (probe === null) return colorOf(name);
  probe.fillStyle = colorOf(name);
  probe.fillStyle = faded(name, share);
  return String(probe.fillStyle);
}

function seriesOptions({ label, color, kind = "line", isDashed, isEdge }: ChartSeries): uPlot.Series {
  const paths = uPlot.paths;
  return {
    label,
    stroke: () => (isEdge ? "transparent" : colorOf(color)),
    width: isEdge ? 0 : 1.5,
    spanGaps: false,
    points: kind === "points" ? { show: true, size: 6, fill: () => colorOf(color) } : { show: false },
    ...(isDashed ? { dash: [5, 4] } : {}),
    ...(kind === "area" ? { fill: () => canvasColor(color, 0.18) } : {}),
    ...(kind === "step" && paths.stepped ? { paths: paths.stepped({ align: 1 }) } : {}),
    ...(kind === "points" ? { paths: () => null } : {}),
    ...(kind === "bars" && paths.bars
      ? { paths: paths.bars({ size: [0.85, 160], align: 1 }), fill: () => colorOf(color) }
      : {}),
  };
}

/** Distance of marks, pixels. */
const minMarkerGap = 9;

/** Opens the marked moment under the pointer, if there is one. */
function openMarker(chart: uPlot, markers: readonly ChartMarker[], clickedX: number): void {
  const distanceOf = ({ atMs }: ChartMarker) => Math.abs(chart.valToPos(atMs / 1000, "x") - clickedX);
  const [nearest] = markers.toSorted((a, b) => distanceOf(a) - distanceOf(b));
  if (nearest !== undefined && distanceOf(nearest) <= minMarkerGap) goTo(nearest.href);
}

/** Marks moments with lines, and a triangle at the foot. */
function drawMarkers(chart: uPlot, markers: readonly ChartMarker[]): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = canvasColor("--c-marker", 0.55);
  ctx.fillStyle = colorOf("--c-marker");
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  const { min = 0, max = 0 } = chart.scales["x"] ?? {};
  let lastX = Number.NEGATIVE_INFINITY;
  for (const { atMs } of markers) {
    if (atMs / 1000 < (min ?? 0) || atMs / 1000 > (max ?? 0)) continue;
    const x = Math.round(chart.valToPos(atMs / 1000, "x", true));
    // Marks that lie closer would hide the chart; the list below names them all.
    if (x - lastX < minMarkerGap * ratio) continue;
    lastX = x;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 5 * ratio, bbox.top + bbox.height);
    ctx.lineTo(x + 5 * ratio, bbox.top + bbox.height);
    ctx.lineTo(x, bbox.top + bbox.height - 8 * ratio);
    ctx.fill();
  }
  ctx.restore();
}

const drawn = ({ series, isStacked = false }: ChartProps) => (isStacked ? stackSeries(series) : series);

const dataOf = (props: ChartProps): uPlot.AlignedData => [
  props.times.map((ms) => ms / 1000),
  ...drawn(props).map(({ values }) => values as (number | null)[]),
];

/** Shape of a chart: with another one it is built anew, else its values are replaced. */
const shapeOf = (props: ChartProps): string => {
  const { series, bands, height, unit, isStacked } = props;
  return JSON.stringify([series.map(({ values: _, ...rest }) => rest), bands, height, unit, isStacked, isDaily(props)]);
};

const axis = (): uPlot.Axis => ({
  stroke: () => colorOf("--muted"),
  grid: { stroke: () => colorOf("--grid"), width: 1 },
  ticks: { show: false },
  font: "11px system-ui, sans-serif",
});

const daySeconds = 86_400;
/** Distances of ticks where each value is of a day or longer: within a day there is none. */
const dayIncrements = [1, 2, 5, 7, 14, 30, 61, 122].map((days) => days * daySeconds);

/** True for values of whole days, or longer. */
const isDaily = ({ times }: ChartProps) =>
  times.length > 1 && times.every((ms, index) => index === 0 || ms - (times[index - 1] ?? 0) >= daySeconds * 999);

function tickStyle(splits: readonly number[], isDaily: boolean): TimeStyle {
  if (isDaily || (splits[1] ?? 0) - (splits[0] ?? 0) >= daySeconds) return "date";
  return (splits.at(-1) ?? 0) - (splits[0] ?? 0) > 2 * daySeconds ? "day" : "minute";
}

function createChart(host: HTMLElement, current: () => ChartProps, onPoint: (index: number | null) => void): uPlot {
  const props = current();
  const shown = props.formatValue ?? ((value: number | null) => formatNumber(value));
  return new uPlot(
    {
      width: Math.max(200, host.clientWidth),
      height: props.height ?? 220,
      legend: { show: false },
      cursor: {
        drag: { x: false, y: false },
        points: { size: 6 },
        ...(props.group === undefined ? {} : { sync: { key: props.group } }),
      },
      scales: {
        x: {
          range: (_, min, max) =>
            current().span ? [(current().span?.[0] ?? 0) / 1000, (current().span?.[1] ?? 1) / 1000] : [min, max],
        },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        {
          ...axis(),
          space: 70,
          size: 26,
          ...(isDaily(props) ? { incrs: dayIncrements } : {}),
          values: (_, splits) => splits.map((s) => timeText(s * 1000, tickStyle(splits, isDaily(props)))),
        },
        { ...axis(), size: 52, values: (_, splits) => splits.map((value) => shown(value)) },
      ],
      series: [{}, ...drawn(props).map(seriesOptions)],
      bands: (props.bands ?? []).map(({ upper, lower, color }) => ({
        series: [upper + 1, lower + 1],
        fill: () => canvasColor(color, 0.22),
      })),
      hooks: {
        draw: [(chart) => drawMarkers(chart, current().markers ?? [])],
        setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)],
      },
    },
    dataOf(props),
    host,
  );
}

/** A chart over time. Its picture is named by what it shows, and its values can be seen as a table. */
export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const current = useRef(props);
  current.current = props;
  const [asTable, setAsTable] = useState(false);
  const [point, setPoint] = useState<number | null>(null);
  const shape = shapeOf(props);
  const hasValues = props.series.some(({ values }) => values.some((value) => value !== null && value !== undefined));

  useEffect(() => {
    const element = host.current;
    if (element === null || asTable) return;
    const made = createChart(element, () => current.current, setPoint);
    chart.current = made;
    made.over.addEventListener("click", ({ offsetX }) => openMarker(made, current.current.markers ?? [], offsetX));
    const resizing = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height: made.height });
    });
    resizing.observe(element);
    const redraw = () => made.redraw(false);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redraw);
    const theme = new MutationObserver(redraw);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const stopZone = effect(() => {
      inUtc.value;
      made.redraw(false, true);
    });
    return () => {
      resizing.disconnect();
      dark.removeEventListener("change", redraw);
      theme.disconnect();
      stopZone();
      made.destroy();
      chart.current = null;
    };
  }, [shape, asTable]);

  useEffect(() => {
    chart.current?.setData(dataOf(props));
  }, [props]);

  return (
    <figure class="chart">
      <figcaption>
        <h3>{props.title}</h3>
        <span class="unit">{props.unit}</span>
        <span class="finding">{props.finding}</span>
        <span class="chart-tools">
          {props.tools}
          <button
            type="button"
            class="quiet"
            aria-label={`${asTable ? "show as chart" : "show as table"}: ${props.title}`}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? "chart" : "table"}
          </button>
        </span>
      </figcaption>
      {asTable ? (
        <ChartTable {...props} />
      ) : (
        <>
          <div class="canvas" ref={host} role="img" aria-label={`${props.title}: ${props.finding}`} />
          {hasValues ? <Legend props={props} index={point} /> : <p class="legend">no values yet</p>}
          {props.markers && props.markers.length > 0 ? (
            <details class="markers">
              <summary>
                {props.markers.length} marked {props.markers.length === 1 ? "moment" : "moments"}
              </summary>
              <ul>
                {props.markers
                  .toReversed()
                  .slice(0, 20)
                  .map(({ atMs, label, href }) => (
                    <li key={href}>
                      <a href={href}>
                        {timeText(atMs, "second")} {label}
                      </a>
                    </li>
                  ))}
              </ul>
            </details>
          ) : null}
        </>
      )}
    </figure>
  );
}
