import { parseControllerConfig } from "#controller/check-config.ts";
import { Controller } from "#controller/controller.ts";
import { systemClock } from "#platform/clock.ts";
import { createLogger } from "#platform/log.ts";

/** Controller on free ports that makes no forecasts and logs nothing. Nothing is started. */
export function quietController(stateDir: string, api: object = {}, more: object = {}): Controller {
  const settings = {
    stateDir,
    logLevel: "silent",
    api: { port: 0, ...api },
    broker: { port: 0, shareKey: false },
    ...more,
  };
  return new Controller(parseControllerConfig(settings, "the test"), {
    log: createLogger("test", "silent"),
    clock: systemClock,
    forecaster: {
      async start() {},
      async stop() {},
      forecast: () => Promise.reject(new Error("none")),
      describe: () => ({ model: "none", backend: "none", reason: "test" }),
    },
  });
}
