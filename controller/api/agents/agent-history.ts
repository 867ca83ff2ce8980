import { medianPeakQps } from "#forecast/median-peak.ts";
import { minuteMs } from "#platform/time.ts";
import { workOf } from "#protocol/demand.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { AgentRole } from "#protocol/messages.ts";
import { offeredOf, textsOf } from "../../fleet/agent-state.ts";
import type { MinuteRecord } from "../../store/store.ts";

/** Stretch of time in which an agent had one role and one power mode. */
export interface ModeSpan {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly role: AgentRole;
  /** Null: not measured. */
  readonly powerMode: string | null;
}

/** Figures of one step. */
export interface HistoryPoint {
  readonly startMs: number;
  readonly qps: number;
  readonly offeredQps: number;
  readonly workQps: number;
  readonly errors: number;
  readonly rejected: number;
  readonly p95LatencyMs: number | null;
  readonly watts: number | null;
  readonly maxTemperatureC: number | null;
  /** Median of the peak that was forecast in the step's last minute. */
  readonly forecastPeakQps: number | null;
}

const maxPoints = 720;

/** Length of a step with which `hours` are shown in no more than 720 points: whole minutes. */
export const historyStepMs = (hours: number): number => Math.ceil((hours * 60) / maxPoints) * minuteMs;

function pointOf(startMs: number, records: readonly MinuteRecord[]): HistoryPoint {
  const observedMs = records.reduce((sum, { traffic }) => sum + traffic.observedMs, 0);
  const perS = (of: (record: MinuteRecord) => number) =>
    observedMs === 0 ? 0 : (1000 * records.reduce((sum, record) => sum + of(record), 0)) / observedMs;
  const sum = (of: "errors" | "rejected") => records.reduce((total, { traffic }) => total + traffic[of], 0);
  const counts = records
    .flatMap(({ traffic }) => traffic.models)
    .reduce((total, { latencyCounts }) => addLatencyCounts(total, latencyCounts), emptyLatencyCounts());
  const power = records.flatMap((record) => (record.power !== null && record.power.measuredMs > 0 ? record.power : []));
  const measuredMs = power.reduce((total, each) => total + each.measuredMs, 0);
  const temperatures = power.flatMap(({ maxTemperatureC }) => maxTemperatureC ?? []);
  const forecast = records.findLast((record) => record.forecast !== null)?.forecast ?? null;
  return {
    startMs,
    qps: perS(textsOf),
    offeredQps: perS(offeredOf),
    workQps: perS(({ traffic }) => workOf(traffic)),
    errors: sum("errors"),
    rejected: sum("rejected"),
    p95LatencyMs: latencyQuantileMs(counts, 0.95),
    watts: measuredMs === 0 ? null : (1000 * power.reduce((total, { energyJ }) => total + energyJ, 0)) / measuredMs,
    maxTemperatureC: temperatures.length === 0 ? null : Math.max(...temperatures),
    forecastPeakQps: forecast === null ? null : medianPeakQps(forecast),
  };
}

/** Joins neighbouring minutes of the same role and mode; a minute without a record ends a span. */
function spansOf(records: readonly MinuteRecord[]): ModeSpan[] {
  const spans: { fromMs: number; untilMs: number; role: AgentRole; powerMode: string | null }[] = [];
  for (const { traffic, role, power } of records) {
    const fromMs = traffic.minuteStartMs;
    const untilMs = fromMs + minuteMs;
    const last = spans.at(-1);
    // The energy of minutes that closed together stands in the last of them: the others don't tell of another mode.
    const powerMode = power?.modeName ?? (last?.untilMs === fromMs ? last.powerMode : null);
    if (last !== undefined && last.untilMs >= fromMs && last.role === role && last.powerMode === powerMode)
      last.untilMs = Math.max(last.untilMs, untilMs);
    else spans.push({ fromMs: Math.max(fromMs, last?.untilMs ?? fromMs), untilMs, role, powerMode });
  }
  return spans.filter((span) => span.fromMs < span.untilMs);
}

/** Sums an agent's minutes, given by time, in steps; steps without any are absent. */
export function agentHistory(
  records: readonly MinuteRecord[],
  stepMs: number,
): { readonly points: HistoryPoint[]; readonly modes: ModeSpan[] } {
  const steps = Map.groupBy(records, ({ traffic }) => Math.floor(traffic.minuteStartMs / stepMs) * stepMs);
  return { points: [...steps].map(([startMs, group]) => pointOf(startMs, group)), modes: spansOf(records) };
}
