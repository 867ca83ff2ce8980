import { useMemo } from "preact/hooks";
import { Chart } from "#platform/page/chart.tsx";
import type { ChartMarker } from "#platform/page/chart-parts.tsx";
import { formatDuration, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { Timeline } from "#platform/page/picture/timeline.tsx";
import { type AgentHistory, type Decision, highest, spansOf, withGaps } from "./agent-data.ts";

const degrees = (value: number | null) => (value === null ? "–" : `${Math.round(value)} °C`);

/** An agent's hours: roles and power modes above its rates, power, temperature and latency, all with one time axis. */
export function AgentCharts({
  history,
  decisions,
}: {
  readonly history: AgentHistory;
  readonly decisions: readonly Decision[];
}) {
  const { fromMs, nowMs, stepMs, points } = history;
  const shown = useMemo(() => withGaps(points, stepMs), [points, stepMs]);
  const times = shown.map(({ startMs }) => startMs);
  const of = (key: Exclude<keyof AgentHistory["points"][number], "startMs">) =>
    shown.map(({ point }) => point?.[key] ?? null);
  const span = [fromMs, nowMs] as const;
  const markers: ChartMarker[] = decisions
    .filter(({ atMs, kind }) => atMs >= fromMs && kind !== "hold")
    .toReversed()
    .map(({ id, atMs, kind }) => ({ atMs, label: `${kind} #${id}`, href: `/decisions/${id}` }));
  const common = { times, span, group: "agent", height: 150 } as const;
  const newest = points.at(-1);
  const modes = spansOf(history);
  const peak = highest([...of("offeredQps"), ...of("workQps")]);
  const failed = points.reduce((sum, point) => sum + point.errors + point.rejected, 0);
  return (
    <section class="card" aria-label="Last hours">
      <h2 class="hidden">Last hours</h2>
      <Timeline
        title="Role and power mode"
        finding={modes.at(-1) === undefined ? "no record" : `now ${modes.at(-1)?.label}; ${modes.length - 1} changes`}
        spans={modes}
        span={span}
      />
      <Chart
        {...common}
        title="Traffic"
        unit="texts/s"
        finding={`highest ${quantityText(formatRate(peak))}; ${failed === 0 ? "nothing" : `${failed} requests`} failed or turned away`}
        series={[
          { label: "asked for", values: of("offeredQps"), color: "--c5", kind: "area" },
          { label: "answered", values: of("qps"), color: "--c1" },
          { label: "its work, also for other agents", values: of("workQps"), color: "--c3" },
          { label: "forecast peak", values: of("forecastPeakQps"), color: "--c2", isDashed: true },
        ]}
        markers={markers}
      />
      <Chart
        {...common}
        title="Power"
        unit="W"
        finding={`now ${quantityText(formatWatts(newest?.watts))}`}
        series={[{ label: "power", values: of("watts"), color: "--c3", kind: "area" }]}
      />
      <div class="columns">
        <Chart
          {...common}
          title="Temperature"
          unit="°C"
          finding={`highest ${degrees(highest(of("maxTemperatureC")))}`}
          series={[{ label: "highest of the step", values: of("maxTemperatureC"), color: "--c6" }]}
        />
        <Chart
          {...common}
          title="Latency"
          unit="ms"
          finding={`p95 now ${quantityText(formatDuration(newest?.p95LatencyMs))}, highest ${quantityText(formatDuration(highest(of("p95LatencyMs"))))}`}
          series={[{ label: "p95", values: of("p95LatencyMs"), color: "--c4" }]}
        />
      </div>
    </section>
  );
}
