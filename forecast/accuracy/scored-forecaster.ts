import type { Forecaster } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { LiveAccuracy } from "./live-accuracy.ts";

/** The same forecaster, whose every forecast is compared with what came. That they can't be written down costs no forecast. */
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
        log.error({ err: describeError(error) }, "a forecast could not be written down to be judged");
      }
      return report;
    },
  };
}
