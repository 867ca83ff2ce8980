import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { MinuteDemand } from "./demand-of-trace.ts";

/** Eight days of record, as in a running agent. */
const historyMinutes = 8 * 24 * 60;

/** Figures of a forecast that the policy uses. */
export type ForecastedMinute = Pick<ForecastReport, "qps" | "peakQps">;

/**
 * Makes the forecasts of an agent at the start of each minute from `fromMinute` on, from the minutes before it only.
 * @returns one entry a minute: texts per second in each of the coming 15 minutes, and quantiles of their peak
 */
export async function forecastMinutes(
  demand: MinuteDemand,
  fromMinute: number,
  forecaster: Pick<Forecaster, "forecast">,
  onProgress: (share: number) => void = () => {},
): Promise<ForecastedMinute[]> {
  const record: MinuteRate[] = demand.qps.map((qps, minute) => ({
    minuteStartMs: demand.startMs + minute * minuteMs,
    qps,
  }));
  const forecasts: ForecastedMinute[] = [];
  for (let minute = fromMinute; minute < record.length; minute += 1) {
    const history = record.slice(Math.max(0, minute - historyMinutes), minute);
    const { qps, peakQps } = await forecaster.forecast(history, demand.startMs + minute * minuteMs);
    forecasts.push({ qps, ...(peakQps === undefined ? {} : { peakQps }) });
    if (minute % 500 === 0) onProgress((minute - fromMinute) / (record.length - fromMinute));
  }
  return forecasts;
}
