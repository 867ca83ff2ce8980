import { createForecastReplay } from "#controller/scaling/backtest/replay-forecasts.ts";
import { playScalingPolicy, withoutUnrecorded } from "#controller/scaling/policy/play-scaling-policy.ts";
import type { LimitStep } from "#controller/scaling/policy/scaling-decision.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { minuteMs } from "#platform/time.ts";

export interface RecordedMinute {
  readonly minuteStartMs: number;
  readonly qps: number;
}

/** Time span in which the policy would have asked for the same number of replicas. */
interface PastStretch {
  readonly fromMs: number;
  readonly replicas: number;
  readonly qps: number | null;
  /** Replicas that each rule asked for at the start of the span; null: the rule does not apply. */
  readonly load: number | null;
  readonly forecast: number | null;
  readonly triggers: Readonly<Record<string, number | null>>;
  readonly schedules: readonly string[];
  readonly limitedBy: readonly LimitStep[];
  readonly reason: string;
}

/**
 * Replays a policy on recorded traffic, minute by minute from `fromMs`: load, triggers with recorded values, prediction by forecasts from the traffic
 * up to then, schedules and limits. Forecasts learn from the minutes before `fromMs`.
 * @returns also the triggers without recorded values (`leftOut`), and the minutes with fewer replicas than their rate needs
 */
export function previewPast(given: ScalingPolicy, recorded: readonly RecordedMinute[], fromMs: number) {
  const { policy, leftOut } = withoutUnrecorded(given);
  const stretches: PastStretch[] = [];
  const first = recorded[0];
  const last = recorded.at(-1);
  if (first === undefined || last === undefined) {
    return { stretches, leftOut, shortMinutes: 0, minutes: 0, meanReplicas: 0 };
  }
  const known = new Map(recorded.map(({ minuteStartMs, qps }) => [minuteStartMs, qps]));
  const count = Math.round((last.minuteStartMs - first.minuteStartMs) / minuteMs) + 1;
  const rateAt = (minute: number) => known.get(first.minuteStartMs + minute * minuteMs) ?? null;
  // A forecast needs a rate for every minute: a missing one repeats the minute before.
  const rates: number[] = [];
  for (let minute = 0; minute < count; minute += 1) rates.push(rateAt(minute) ?? rates.at(-1) ?? 0);
  const forecast = createForecastReplay(rates, first.minuteStartMs, createCalendar("UTC", []), 0.95);
  const play = playScalingPolicy(policy);
  let replicas: number | null = null;
  let shortMinutes = 0;
  let shown = 0;
  let sum = 0;
  for (let minute = 0; minute < count; minute += 1) {
    const atMs = first.minuteStartMs + minute * minuteMs;
    const { expectedQps } = forecast(minute);
    if (atMs < fromMs) continue;
    const liveQps = minute === 0 ? null : rateAt(minute - 1);
    const needed = Math.ceil((rates[minute] as number) / (policy.capacityPerReplicaQps * policy.targetUtilization));
    // Starts with the replicas that the load needs, whatever was on.
    replicas ??= Math.min(Math.max(needed, policy.minReplicas), policy.maxReplicas);
    const { decision, explain } = play({ atMs, replicas, liveQps, expectedQps });
    ({ replicas } = decision);
    shown += 1;
    sum += replicas;
    if (replicas < needed) shortMinutes += 1;
    if (stretches.at(-1)?.replicas === replicas) continue;
    const { load, triggers, prediction, schedules } = decision.proposals;
    stretches.push({
      fromMs: atMs,
      replicas,
      qps: liveQps,
      load: load?.replicas ?? null,
      forecast: prediction?.need ?? null,
      triggers: Object.fromEntries(
        (triggers?.proposals ?? []).map((each) => [each.metric, each.kind === "replicas" ? each.replicas : null]),
      ),
      schedules: schedules.open.map(({ name }) => name),
      limitedBy: decision.limitedBy,
      reason: explain(),
    });
  }
  return { stretches, leftOut, shortMinutes, minutes: shown, meanReplicas: shown === 0 ? 0 : sum / shown };
}
