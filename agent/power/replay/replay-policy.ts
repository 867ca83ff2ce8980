import { cheapestMode, type KnownMode, wattsAt } from "#agent/power/energy/mode-energy.ts";
import { decidePowerMode } from "#agent/power/mode/decide-power-mode.ts";
import { createForecastHeadroom } from "#agent/power/mode/forecast-headroom.ts";
import { createSloBudget } from "#agent/power/mode/slo-budget.ts";
import { pathMaxQps } from "#forecast/median-peak.ts";
import { dayMs, minuteMs, secondMs } from "#platform/time.ts";
import type { PowerPolicy } from "../power-config.ts";
import type { MinuteDemand } from "./demand-of-trace.ts";
import type { ForecastedMinute } from "./forecast-minutes.ts";

/** Times in a minute at which the mode is chosen: at its beginning, with a new forecast, and every 15 s, as in a running agent. */
const decisionsAtS = [0, 7.5, 22.5, 37.5, 52.5] as const;
/** Time in a minute from which on the live rate is its own; before, it is the last minute's. */
const liveRateFromS = 20;

export interface ReplayInputs {
  readonly demand: MinuteDemand;
  /** Forecasts at the start of `firstForecastMinute` and of each minute after it. */
  readonly forecasts: readonly ForecastedMinute[];
  readonly firstForecastMinute: number;
  /** First minute that counts; those before only teach. */
  readonly judgedFromMinute: number;
  /** The most capable first. */
  readonly modes: readonly KnownMode[];
}

export interface ReplayFigures {
  readonly energyJ: number;
  /** Minutes in some part of which the demand exceeded the mode's capacity within the p95 target. */
  readonly sloMinutes: number;
  readonly switches: number;
  readonly minutes: number;
  readonly minutesByMode: Readonly<Record<string, number>>;
}

function* judgedMinutes({ demand, judgedFromMinute }: ReplayInputs): Generator<{ minute: number; qps: number }> {
  for (let minute = judgedFromMinute; minute < demand.qps.length; minute += 1) {
    const qps = demand.qps[minute];
    if (qps !== null && qps !== undefined) yield { minute, qps };
  }
}

/**
 * Runs a policy over recorded demand with the decisions, the headroom and the times of an agent; energy by the modes' figures. Demand is
 * constant within a minute. A minute misses the SLO when the mode is too small in any part of it, even for seconds.
 */
export function replayPolicy(inputs: ReplayInputs, policy: PowerPolicy): ReplayFigures {
  const { demand, forecasts, firstForecastMinute, judgedFromMinute, modes } = inputs;
  const top = modes[0] as KnownMode;
  const headroom = createForecastHeadroom();
  const budget = createSloBudget(policy.upperQuantile, policy.sloBudget);
  let current = top;
  let lastSwitchMs: number | null = null;
  let switchTimesMs: number[] = [];
  let energyJ = 0;
  let sloMinutes = 0;
  let switches = 0;
  let minutes = 0;
  const minutesByMode: Record<string, number> = {};

  for (const [index, forecasted] of forecasts.entries()) {
    const minute = firstForecastMinute + index;
    const rate = demand.qps[minute];
    const startMs = demand.startMs + minute * minuteMs;
    const forecast = { madeAtMs: startMs, model: "replay", reason: "", stepMs: minuteMs, ...forecasted };
    // Times count from the trace's first minute: the headroom looks up whole minutes.
    const relative = { ...forecast, madeAtMs: minute * minuteMs };
    headroom.note(relative);
    if (rate === null || rate === undefined) continue;
    const judged = minute >= judgedFromMinute;
    let tooSmall = false;
    for (const [part, atS] of decisionsAtS.entries()) {
      const nowMs = startMs + atS * secondMs;
      switchTimesMs = switchTimesMs.filter((atMs) => nowMs - atMs < dayMs);
      const decision = decidePowerMode({
        policy,
        modes,
        currentModeId: current.id,
        lastSwitchMs,
        switchesInLastDay: switchTimesMs.length,
        role: "active",
        servingForMs: null,
        forecastPathMaxQps: pathMaxQps(forecasted),
        forecastUpperQps: headroom.upperQps(relative, budget.quantile()),
        liveQps: atS < liveRateFromS ? (demand.qps[minute - 1] ?? rate) : rate,
        desiredMode: null,
        desiredModeCap: null,
        desiredModeUntilMs: null,
        desiredModeCapUntilMs: null,
        temperatureC: null,
        thermalCap: 0,
        thermalCapChangedMs: null,
        nowMs,
      });
      if (decision.kind === "switch") {
        current = modes.find(({ id }) => id === decision.modeId) ?? current;
        lastSwitchMs = nowMs;
        switchTimesMs.push(nowMs);
        if (judged) {
          switches += 1;
          energyJ += top.busyWatts * policy.switchCostS;
        }
      }
      const seconds = (decisionsAtS[part + 1] ?? 60) - atS;
      if (judged) {
        energyJ += wattsAt(current, rate) * seconds;
        minutesByMode[current.name] = (minutesByMode[current.name] ?? 0) + seconds / 60;
      }
      if (rate > current.capacityQps) tooSmall = true;
    }
    headroom.observe(minute * minuteMs, rate);
    budget.observe(tooSmall);
    if (!judged) continue;
    minutes += 1;
    if (tooSmall) sloMinutes += 1;
  }
  return { energyJ, sloMinutes, switches, minutes, minutesByMode };
}

/**
 * Returns the minimum energy: each minute's demand known in advance, the cheapest mode for it, switches for free.
 * @param utilization share of a mode's capacity that may be used
 */
export function replayForesight(inputs: ReplayInputs, utilization: number): number {
  let energyJ = 0;
  for (const { qps } of judgedMinutes(inputs)) {
    const index = cheapestMode(inputs.modes, qps, ({ capacityQps }) => qps <= capacityQps * utilization);
    energyJ += wattsAt(inputs.modes[index] as KnownMode, qps) * 60;
  }
  return energyJ;
}

export function replayTopMode(inputs: ReplayInputs): number {
  let energyJ = 0;
  for (const { qps } of judgedMinutes(inputs)) energyJ += wattsAt(inputs.modes[0] as KnownMode, qps) * 60;
  return energyJ;
}
