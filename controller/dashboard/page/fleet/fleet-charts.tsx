import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { DecisionTimeline } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import type { ChartMarker } from "#platform/page/chart-parts.tsx";
import { HoursChoice } from "#platform/page/fields.tsx";
import {
  formatDuration,
  formatMoney,
  formatNumber,
  formatRate,
  formatWatts,
  quantityText,
} from "#platform/page/format.ts";
import { query } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import type { FleetHistoryView } from "../../history-routes.ts";
import { fleet } from "../fleet-state.ts";
import { highest, joinTraffic, refusedOf } from "./fleet-history.ts";

const spans = [1, 3, 6, 24] as const;
const defaultHours = 3;
const pollMs = 10_000;
const hourMs = 3_600_000;
const maxMarkers = 40;

const hoursOf = (text: string | null): number => spans.find((hours) => String(hours) === text) ?? defaultHours;

/** Past figures of the fleet, and what was decided meanwhile. */
export interface Past {
  readonly history: FleetHistoryView;
  readonly markers: readonly ChartMarker[];
}

/** Reads the past figures, and the decisions that changed something meanwhile. */
async function loadPast(hours: number, signal: AbortSignal): Promise<Past> {
  const history = await getJson<FleetHistoryView>(`/api/v1/fleet/history?hours=${hours}`, signal);
  const sinceMs = Math.max(0, Math.floor(history.nowMs - hours * hourMs));
  const { decisions } = await getJson<DecisionTimeline>(
    `/api/v1/decisions?changes=true&sinceMs=${sinceMs}&limit=${maxMarkers}`,
    signal,
  );
  const markers = decisions.map(({ id, atMs, kind, rule }) => ({
    ...{ atMs, label: `${kind}: ${rule}`, href: `/decisions/${id}` },
  }));
  return { history, markers: markers.reverse() };
}

interface TrafficChartProps {
  readonly past: Past | null;
  readonly span: readonly [number, number];
  readonly tools: ComponentChildren;
}

function TrafficChart({ past, span, tools }: TrafficChartProps) {
  const view = fleet.value;
  const capacityNow = view?.figures.capacityTextsPerS.value ?? null;
  const forecast = view?.forecast ?? null;
  const lines = useMemo(() => joinTraffic(past?.history ?? null, forecast, capacityNow), [past, forecast, capacityNow]);
  const now = view?.figures.textsPerS.value ?? null;
  const peak = view?.figures.forecastPeakTextsPerS.value ?? null;
  const share = now === null || !capacityNow ? "" : `, ${formatNumber((100 * now) / capacityNow, 2)} % of the capacity`;
  const finding = `now ${quantityText(formatRate(now))}${share}; forecast peak ${quantityText(formatRate(peak))}`;
  return (
    <Chart
      title="Traffic, capacity and forecast"
      finding={finding}
      unit="texts/s"
      times={lines.times}
      span={[span[0], Math.max(span[1], lines.times.at(-1) ?? 0)]}
      group="fleet"
      tools={tools}
      height={260}
      series={[
        { label: "rate", values: lines.rate, color: "--c1", kind: "area" },
        { label: "capacity", values: lines.capacity, color: "--c3", kind: "step" },
        { label: "forecast", values: lines.median, color: "--c2", isDashed: true },
        { label: "band, lower edge", values: lines.lower, color: "--c2", isEdge: true },
        { label: "band, upper edge", values: lines.upper, color: "--c2", isEdge: true },
      ]}
      bands={[{ upper: 4, lower: 3, color: "--c2", label: lines.bandIsOfPeak ? "its peak, 50 to 95 %" : "50 to 95 %" }]}
      markers={past?.markers ?? []}
    />
  );
}

function SmallCharts({ past, span }: { readonly past: Past | null; readonly span: readonly [number, number] }) {
  const view = fleet.value?.figures;
  const history = past?.history;
  const times = history?.minutes ?? [];
  const figures = history?.figures;
  const common = { times, span, group: "fleet", height: 120 } as const;
  const refused = figures === undefined ? [] : refusedOf(figures);
  const target = view?.p95TargetMs.value ?? null;
  const limit = target === null ? "no target is set" : `target ${quantityText(formatDuration(target))}`;
  const limits =
    target === null
      ? []
      : [{ label: "target", values: times.map(() => target), color: "--c-limit" as const, isDashed: true }];
  return (
    <div class="small-charts">
      <Chart
        {...common}
        title="p95 latency"
        unit="ms"
        finding={`now ${quantityText(formatDuration(view?.p95Ms.value))}, ${limit}`}
        series={[{ label: "p95", values: figures?.p95Ms ?? [], color: "--c4" }, ...limits]}
      />
      <Chart
        {...common}
        title="Refused or failed"
        unit="requests/s"
        finding={`highest ${quantityText(formatRate(highest(refused), "requests/s"))}`}
        series={[{ label: "refused or failed", values: refused, color: "--c6", kind: "area" }]}
      />
      <Chart
        {...common}
        title="Power"
        unit="W"
        finding={`now ${quantityText(formatWatts(view?.watts.value))}`}
        series={[{ label: "power", values: figures?.watts ?? [], color: "--c5", kind: "area" }]}
      />
      <Chart
        {...common}
        title="Cost"
        unit="US$/h"
        finding={`now ${quantityText(formatMoney(view?.usdPerHour.value, "/h"))}`}
        series={[{ label: "cost", values: figures?.usdPerHour ?? [], color: "--c3", kind: "area" }]}
      />
    </div>
  );
}

/** Past figures of as many hours as the address asks for; null: not yet. */
export function usePast(): Past | null {
  const hours = hoursOf(query.value.get("hours"));
  return usePolled(`fleet-history ${hours}`, pollMs, (signal) => loadPast(hours, signal)).value;
}

function spanOf(past: Past | null): readonly [number, number] {
  const nowMs = past?.history.nowMs ?? fleet.value?.nowMs ?? Date.now();
  return [nowMs - hoursOf(query.value.get("hours")) * hourMs, nowMs];
}

interface PastProps {
  readonly past: Past | null;
}

/** The fleet's rate of the last hours, its capacity, and the forecast. */
export const TrafficCard = ({ past }: PastProps) => (
  <section class="card" aria-label="Traffic">
    <h2 class="hidden">Traffic</h2>
    <TrafficChart
      past={past}
      span={spanOf(past)}
      tools={<HoursChoice values={spans} chosen={hoursOf(query.value.get("hours"))} usual={defaultHours} />}
    />
  </section>
);

/** The other figures of the last hours. */
export const FiguresCard = ({ past }: PastProps) => (
  <section class="card" aria-label="Latency, refusals, power and cost">
    <h2 class="hidden">Latency, refusals, power and cost</h2>
    <SmallCharts past={past} span={spanOf(past)} />
  </section>
);
