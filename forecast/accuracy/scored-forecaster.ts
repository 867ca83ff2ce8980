import type { Forecaster } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { LiveAccuracy } from "./live-accuracy.ts";

/** Wraps a forecaster so that its forecasts are compared with the actual rates; a failure to store one does not cost the forecast. */
export function withLiveAccuracy(forecaster: Forecaster, accuracy: LiveAccuracy, log: Logger): Forecaster {
  return {
    start: () => forecaster.start(),
    stop: () => forecaster.stop(),
    describe: () => forecaster.describe(),
    async forecast(history, nowMs) {
      const report = await forecaster.forecast(history, nowMs);
      try {
        accuracy.observe(report, history);
      } catch (error) {
        log.error({ err: describeError(error) }, "a forecast could not be stored for scoring");
      }
      return report;
    },
  };
}
