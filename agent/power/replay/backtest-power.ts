import type { KnownMode } from "#agent/power/energy/mode-energy.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { joulesPerKwh } from "#platform/energy.ts";
import { UsageError } from "#platform/errors.ts";
import type { PowerPolicy } from "../power-config.ts";
import type { MinuteDemand } from "./demand-of-trace.ts";
import { forecastMinutes } from "./forecast-minutes.ts";
import { type ReplayFigures, replayForesight, replayPolicy, replayTopMode } from "./replay-policy.ts";

/** Figures of one policy over the demand. */
export interface PowerBacktestRow {
  readonly policy: string;
  readonly energyKwh: number;
  /** Energy divided by that of foresight at the target utilisation. */
  readonly foresightRatio: number;
  readonly sloMinutes: number;
  readonly sloShare: number;
  readonly switchesPerDay: number;
  readonly minutesByMode: Readonly<Record<string, number>>;
}

export interface PowerBacktest {
  readonly minutes: number;
  readonly meanQps: number;
  readonly peakQps: number;
  readonly rows: readonly PowerBacktestRow[];
  /** Energy of foresight that may use a mode's full capacity, divided by that of foresight at the target utilisation. */
  readonly fullCapacityForesightRatio: number;
}

const dayMinutes = 24 * 60;
/** Minutes of forecasts before the first judged one: the choice of the forecasting model and the headroom learn from them. */
const teachingMinutes = 12 * 60;
/** The network needs an hour of record; of a shorter trace a quarter is history, and simpler models forecast. */
const historyMinutes = 60;
const minDemandMinutes = 40;
const forecastSteps = 15;

/**
 * Replays the newest days of a demand through the policy with the real forecaster, and compares it with the same policy knowing the next 15
 * minutes (its excess over foresight is the policy's caution, the rest the price of not knowing), with thresholds, and with the top mode.
 * @throws UsageError when the demand is too short.
 */
export async function backtestPower(
  demand: MinuteDemand,
  modes: readonly KnownMode[],
  policy: PowerPolicy,
  forecaster: Pick<Forecaster, "forecast">,
  days: number,
  onProgress: (share: number) => void,
): Promise<PowerBacktest> {
  const length = demand.qps.length;
  if (length < minDemandMinutes)
    throw new UsageError(`too short to judge: expected at least ${minDemandMinutes} minutes, got ${length}`);
  const top = modes[0] as KnownMode;
  const firstForecastMinute = Math.max(
    Math.min(historyMinutes, Math.floor(length / 4)),
    length - Math.round(days * dayMinutes) - teachingMinutes,
  );
  const judgedFromMinute = Math.max(
    length - Math.round(days * dayMinutes),
    firstForecastMinute + Math.min(teachingMinutes, Math.floor((length - firstForecastMinute) / 2)),
  );
  const forecasts = await forecastMinutes(demand, firstForecastMinute, forecaster, onProgress);
  const inputs = { demand, forecasts, firstForecastMinute, judgedFromMinute, modes };
  const known = forecasts.map((_, index) => {
    const minute = firstForecastMinute + index;
    return { qps: demand.qps.slice(minute, minute + forecastSteps).map((qps) => qps ?? 0) };
  });
  const foresightJ = replayForesight(inputs, policy.targetUtilization);
  const runs: [string, ReplayFigures][] = [
    ["forecast", replayPolicy(inputs, { ...policy, kind: "forecast" })],
    ["forecast, future known", replayPolicy({ ...inputs, forecasts: known }, { ...policy, kind: "forecast" })],
    ["threshold", replayPolicy(inputs, { ...policy, kind: "threshold" })],
  ];
  const minutes = runs[0]?.[1].minutes ?? 0;
  const always = { energyJ: replayTopMode(inputs), sloMinutes: 0, switches: 0, minutes };
  runs.push([`always ${top.name}`, { ...always, minutesByMode: { [top.name]: minutes } }]);
  const rates = demand.qps.slice(judgedFromMinute).filter((qps) => qps !== null);
  return {
    minutes,
    meanQps: rates.reduce((sum, qps) => sum + qps, 0) / rates.length,
    peakQps: Math.max(...rates),
    rows: runs.map(([name, run]) => ({
      policy: name,
      energyKwh: run.energyJ / joulesPerKwh,
      foresightRatio: run.energyJ / foresightJ,
      sloMinutes: run.sloMinutes,
      sloShare: run.sloMinutes / run.minutes,
      switchesPerDay: (run.switches * dayMinutes) / run.minutes,
      minutesByMode: run.minutesByMode,
    })),
    fullCapacityForesightRatio: replayForesight(inputs, 1) / foresightJ,
  };
}
