import type { AgentStatus } from "#agent/agent-status.ts";
import { Chart } from "#platform/page/chart.tsx";
import type { ChartColor } from "#platform/page/chart-parts.tsx";
import { formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { Timeline, type TimelineSpan } from "#platform/page/picture/timeline.tsx";
import type { RecentMinutes } from "./agent-state.ts";

const minuteMs = 60_000;
const shownMs = 60 * minuteMs;
/** Time that is shown at least, just after the start. */
const minShownMs = 15 * minuteMs;
const modeColors: readonly ChartColor[] = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"];

function spansOf({ minutes }: RecentMinutes): TimelineSpan[] {
  const names = [...new Set(minutes.flatMap(({ powerMode }) => powerMode ?? []))].sort();
  const spans: (TimelineSpan & { untilMs: number })[] = [];
  for (const { minuteStartMs, role, powerMode } of minutes) {
    const last = spans.at(-1);
    const mode = powerMode ?? "mode unknown";
    const label = role === "active" ? mode : `${role}, ${mode}`;
    const color =
      role === "standby" || powerMode === null
        ? "--c-idle"
        : (modeColors[names.indexOf(mode) % modeColors.length] ?? "--c1");
    if (last?.label === label && last.untilMs === minuteStartMs) last.untilMs = minuteStartMs + minuteMs;
    else spans.push({ fromMs: minuteStartMs, untilMs: minuteStartMs + minuteMs, label, color });
  }
  return spans;
}

/** Newest minutes of this agent, and what it expects of the coming ones. */
export function OwnCharts({ recent, status }: { readonly recent: RecentMinutes; readonly status: AgentStatus }) {
  const { forecast } = status;
  const minutes = recent.minutes.filter(({ minuteStartMs }) => minuteStartMs >= recent.nowMs - shownMs);
  const coming = forecast === null ? [] : forecast.qps.map((_, step) => forecast.madeAtMs + step * forecast.stepMs);
  const lastMs = minutes.at(-1)?.minuteStartMs ?? 0;
  const after = coming.filter((atMs) => atMs > lastMs);
  const skipped = coming.length - after.length;
  const times = [...minutes.map(({ minuteStartMs }) => minuteStartMs), ...after];
  const past = (of: (minute: (typeof minutes)[number]) => number | null) => [
    ...minutes.map(of),
    ...after.map(() => null),
  ];
  const future = (values: readonly number[] | undefined) => [
    ...minutes.map(() => null),
    ...after.map((_, step) => values?.[step + skipped] ?? null),
  ];
  const firstMs = Math.min(minutes[0]?.minuteStartMs ?? recent.nowMs, recent.nowMs - minShownMs);
  const span = [firstMs, Math.max(recent.nowMs, after.at(-1) ?? 0)] as const;
  const newest = minutes.at(-1);
  const peak = forecast === null ? null : (forecast.peakQps?.q50 ?? Math.max(...forecast.qps));
  const bound = forecast?.qps95;
  return (
    <section class="card" aria-label="Last hour">
      <h2 class="hidden">Last hour</h2>
      {minutes.length === 0 ? <p class="muted">The first minute of this run has not ended yet.</p> : null}
      <Timeline
        title="Role and power mode"
        finding={
          status.power.mode === null ? `now ${status.role.role}` : `now ${status.role.role}, ${status.power.mode}`
        }
        spans={spansOf({ ...recent, minutes })}
        span={span}
      />
      <Chart
        title="Traffic and forecast"
        unit="texts/s"
        finding={`last minute ${quantityText(formatRate(newest?.qps))} answered, ${quantityText(formatRate(newest?.workQps))} of work, forecast peak ${quantityText(formatRate(peak))}`}
        times={times}
        span={span}
        group="own"
        height={170}
        series={[
          { label: "asked for", values: past(({ offeredQps }) => offeredQps), color: "--c5", kind: "area" },
          { label: "answered", values: past(({ qps }) => qps), color: "--c1" },
          { label: "its work, also for other agents", values: past(({ workQps }) => workQps), color: "--c3" },
          { label: "forecast", values: future(forecast?.qps), color: "--c2", isDashed: true },
          ...(bound === undefined
            ? []
            : [{ label: "its 0.95 quantile", values: future(bound), color: "--c7" as const, isDashed: true }]),
        ]}
      />
      <Chart
        title="Power"
        unit="W"
        finding={`last minute ${quantityText(formatWatts(newest?.watts))}`}
        times={times}
        span={span}
        group="own"
        height={130}
        series={[{ label: "power", values: past(({ watts }) => watts), color: "--c3", kind: "area" }]}
      />
    </section>
  );
}
