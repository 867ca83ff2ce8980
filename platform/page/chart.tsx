import { type Signal, signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { type ChartMarker, type ChartProps, ChartTable, highestOf, Legend } from "./chart-parts.tsx";
import { formatNumber, type TimeStyle } from "./format.ts";
import { type Drawing, drawPlot, Plot, stepOf } from "./picture/plot.tsx";
import { stackSeries } from "./picture/stack-series.ts";
import { niceTicks, timeTicks } from "./picture/svg-scale.ts";
import { inUtc, timeText } from "./time-zone.ts";
import { goTo } from "./url-state.ts";

const dayMs = 86_400_000;
const minuteMs = 60_000;
const usualHeight = 220;
/** Height that a line of the grid takes. */
const pxPerTick = 45;

type Moment = Signal<number | null>;

/** Moments under the pointer by the charts' group: all charts of one show the same. */
const momentsOfGroups = new Map<string, Moment>();

function momentOf(group: string | undefined): Moment {
  if (group === undefined) return signal(null);
  const known = momentsOfGroups.get(group) ?? signal<number | null>(null);
  momentsOfGroups.set(group, known);
  return known;
}

/** Place of the time that is nearest to a moment; null: there is none. @param times in ascending order */
export function nearestIndex(times: readonly number[], atMs: number): number | null {
  if (times.length === 0) return null;
  let [low, high] = [0, times.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) <= atMs) low = middle;
    else high = middle;
  }
  return atMs - (times[low] as number) <= (times[high] as number) - atMs ? low : high;
}

/** True for values of whole days, or longer. */
const isDaily = (times: readonly number[]) => times.length > 1 && stepOf(times) >= 0.999 * dayMs;

const maxBarTicks = 12;

/** Places below bars of a day or longer: each names the day that it stands for, in whatever zone that began. */
function barTicks(times: readonly number[], toMs: number) {
  const step = stepOf(times);
  const every = Math.ceil(times.length / maxBarTicks);
  const named = times.filter((_, index) => index % every === 0);
  const ticks = named.map((ms) => ({ at: ms + 0.425 * step, text: timeText(ms + Math.min(step, dayMs) / 2, "date") }));
  return ticks.filter(({ at }) => at <= toMs);
}

/** Places on the time axis, at full minutes, hours or days of the zone that times are shown in. */
function ticksOf(times: readonly number[], [fromMs, toMs]: readonly [number, number]) {
  const aheadMs = inUtc.value ? 0 : -new Date(toMs).getTimezoneOffset() * minuteMs;
  const places = timeTicks(fromMs + aheadMs, toMs + aheadMs, isDaily(times) ? dayMs : minuteMs).map(
    (atMs) => atMs - aheadMs,
  );
  const stepMs = (places[1] ?? 0) - (places[0] ?? 0);
  const style: TimeStyle =
    isDaily(times) || stepMs >= dayMs ? "date" : (places.at(-1) ?? 0) - (places[0] ?? 0) > 2 * dayMs ? "day" : "minute";
  return places.map((at) => ({ at, text: timeText(at, style) }));
}

/** Shortest distance of marks, by the length of the axis: marks that lie closer would hide the chart, and the list names them all. */
const minMarkGap = 0.02;

function marksOf(markers: readonly ChartMarker[], [fromMs, toMs]: readonly [number, number]): readonly number[] {
  const marks: number[] = [];
  for (const { atMs } of markers.toSorted((a, b) => a.atMs - b.atMs))
    if (atMs >= fromMs && atMs <= toMs && atMs - (marks.at(-1) ?? 0) >= minMarkGap * (toMs - fromMs)) marks.push(atMs);
  return marks;
}

/** Distance from which a click opens a mark, pixels. */
const markReachPx = 9;

const hasBars = (series: ChartProps["series"]) => series.some(({ kind }) => kind === "bars");

function spanOf({ span, times, series }: ChartProps): readonly [number, number] {
  return span ?? [times[0] ?? 0, (times.at(-1) ?? 1) + (hasBars(series) ? stepOf(times) : 0)];
}

/** Picture of a chart, which is drawn anew only when what it shows has changed. */
function useDrawing(props: ChartProps): Drawing {
  const { times, series, bands = [], markers = [], isStacked = false, height = usualHeight } = props;
  const { formatValue = (value: number | null) => formatNumber(value) } = props;
  const [fromMs, toMs] = spanOf(props);
  const looks = series.map(({ values: _, ...look }) => look);
  const shape = JSON.stringify([looks, bands, markers, isStacked, height]);
  return useMemo(() => {
    const drawn = isStacked ? stackSeries(series) : series;
    const highest = highestOf(drawn);
    // Of nothing but zeros, or of nothing at all, there is no scale.
    const yTicks = highest === 0 ? [0] : niceTicks(0, highest, Math.max(2, Math.round(height / pxPerTick)));
    return drawPlot({
      ...{ times, series: drawn, bands, height, barsBegin: true },
      x: [fromMs, toMs],
      top: yTicks.at(-1) || 1,
      yTicks: yTicks.map((at) => ({ at, text: formatValue(at) })),
      xTicks: hasBars(series) && isDaily(times) ? barTicks(times, toMs) : ticksOf(times, [fromMs, toMs]),
      marks: marksOf(markers, [fromMs, toMs]),
    });
  }, [shape, times, fromMs, toMs, inUtc.value, ...series.map(({ values }) => values)]);
}

const maxListed = 20;

const Markers = ({ markers }: { readonly markers: readonly ChartMarker[] }) =>
  markers.length === 0 ? null : (
    <details class="markers">
      <summary>
        {markers.length} marked {markers.length === 1 ? "moment" : "moments"}
      </summary>
      <ul>
        {markers
          .toReversed()
          .slice(0, maxListed)
          .map(({ atMs, label, href }) => (
            <li key={href}>
              <a href={href}>
                {timeText(atMs, "second")} {label}
              </a>
            </li>
          ))}
      </ul>
    </details>
  );

/** The picture, which tells the moment under the pointer and opens marks that are clicked. */
function Canvas({ props, moment }: { readonly props: ChartProps; readonly moment: Moment }) {
  const { title, finding, times, series, markers = [] } = props;
  const [fromMs, toMs] = spanOf(props);
  // A bar stands behind its time, anything else around it.
  const aheadMs = hasBars(series) ? stepOf(times) / 2 : 0;
  const lengthMs = Math.max(1, toMs - fromMs);
  const drawing = useDrawing(props);
  const msAt = ({ clientX, currentTarget }: MouseEvent) => {
    const { left, width } = (currentTarget as Element).getBoundingClientRect();
    return { atMs: fromMs + (lengthMs * (clientX - left)) / width, msPerPx: lengthMs / width };
  };
  const point = (event: MouseEvent) => {
    const index = nearestIndex(times, msAt(event).atMs - aheadMs);
    moment.value = index === null ? null : (times[index] ?? null);
  };
  const open = (event: MouseEvent) => {
    const { atMs, msPerPx } = msAt(event);
    const distanceOf = (marker: ChartMarker) => Math.abs(marker.atMs - atMs);
    const [nearest] = markers.toSorted((a, b) => distanceOf(a) - distanceOf(b));
    if (nearest !== undefined && distanceOf(nearest) <= markReachPx * msPerPx) goTo(nearest.href);
  };
  const atMs = moment.value;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: the table has the values, and the list the marks, for keyboards
    <div class="plot" onPointerMove={point} onPointerLeave={() => (moment.value = null)} onClick={open}>
      <Plot label={`${title}: ${finding}`} drawing={drawing} />
      {atMs === null || atMs < fromMs || atMs > toMs ? null : (
        <i class="pointed-at" style={{ left: `${((100 * (atMs - fromMs)) / lengthMs).toFixed(2)}%` }} />
      )}
    </div>
  );
}

/** A chart over time. Its picture is named by what it shows, and its values can be seen as a table. */
export function Chart(props: ChartProps) {
  const { title, unit, finding, tools, times, series, markers = [], group } = props;
  const [asTable, setAsTable] = useState(false);
  const moment = useMemo(() => momentOf(group), [group]);
  const atMs = moment.value;
  const hasValues = series.some(({ values }) => values.some((value) => value !== null && value !== undefined));
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="unit">{unit}</span>
        <span class="finding">{finding}</span>
        <span class="chart-tools">
          {tools}
          <button
            type="button"
            class="quiet"
            aria-label={`${asTable ? "show as chart" : "show as table"}: ${title}`}
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
          <Canvas props={props} moment={moment} />
          {hasValues ? (
            <Legend props={props} index={atMs === null ? null : nearestIndex(times, atMs)} />
          ) : (
            <p class="legend">no values yet</p>
          )}
          <Markers markers={markers} />
        </>
      )}
    </figure>
  );
}
