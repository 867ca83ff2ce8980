import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { MinuteDemand } from "./demand-of-trace.ts";

const minuteMs = 60_000;
/** As a running agent: eight days of its record. */
const historyMinutes = 8 * 24 * 60;

/** What the head-room needs of a forecast. */
export type ForecastedMinute = Pick<ForecastReport, "qps" | "peakQps">;

/**
 * The forecasts that an agent would have made at the start of each minute from `fromMinute` on, knowing only what came before.
 * @returns one entry a minute: texts a second in each of the coming 15 minutes, and quantiles of the highest of them.
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
