import { createForecaster } from "#agent/forecast/create-forecaster.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { createController } from "#controller/controller.ts";
import { createPlannerProcess } from "#controller/scaling/fleet-plan/planner-process.ts";
import { createClock } from "#platform/clock.ts";
import { closeNewFiles, closeStateDirectory } from "#platform/close-to-others.ts";
import { defaultStateDir } from "#platform/default-state-dir.ts";
import { createLogger } from "#platform/log.ts";
import { readConfigFile } from "#platform/read-config.ts";
import { secretFromEnvironment } from "#platform/read-secret-file.ts";
import { apiKeysFromEnvironment } from "./api-keys-from-environment.ts";
import { type Command, optionalNumber, optionalString } from "./command.ts";
import { exitOnStdinClose, exitOnStdinCloseOption } from "./exit-on-stdin-close.ts";
import { mergeConfig } from "./merge-config.ts";
import { parseListen } from "./parse-listen.ts";
import { untilStopped } from "./until-stopped.ts";

export const controllerCommand: Command = {
  summary: "decide for a fleet: which agents serve, and what it costs",
  usage: "[--config FILE] [options]",
  optionsOnly: true,
  options: {
    config: { type: "string", short: "c", value: "FILE", help: "YAML or JSON; options given here come first" },
    fleet: { type: "string", value: "NAME", help: "the fleet (default: default)" },
    listen: { type: "string", value: "HOST:PORT", help: "HTTP address (default: 127.0.0.1:7070)" },
    "broker-port": { type: "string", value: "PORT", help: "port of the embedded MQTT broker (default: 1883)" },
    "broker-url": {
      type: "string",
      value: "URL",
      help: "an MQTT broker that runs elsewhere, instead of the embedded one",
    },
    "state-dir": { type: "string", value: "DIR", help: "where records and decisions are kept" },
    "log-level": { type: "string", value: "LEVEL", help: "silent, error, warn, info or debug" },
    insecure: { type: "boolean", help: "listen beyond this machine without an API key or broker password" },
    ...exitOnStdinCloseOption,
  },
  async run(values) {
    const path = optionalString(values, "config");
    const listen = optionalString(values, "listen");
    const input = mergeConfig(path === undefined ? {} : await readConfigFile(path), {
      fleet: optionalString(values, "fleet"),
      logLevel: optionalString(values, "log-level"),
      stateDir: optionalString(values, "state-dir"),
      insecure: values["insecure"] === true ? true : undefined,
      api: {
        ...(listen === undefined ? {} : parseListen(listen)),
        apiKeys: apiKeysFromEnvironment(process.env),
      },
      broker: {
        port: optionalNumber(values, "broker-port", { min: 0, max: 65_535, integer: true }),
        url: optionalString(values, "broker-url"),
        password: secretFromEnvironment(process.env, "THORMESH_MQTT_PASSWORD"),
      },
    });
    const config = parseControllerConfig(input, path ?? "the command line");
    const log = createLogger("controller", config.logLevel);
    closeNewFiles();
    closeStateDirectory(config.stateDir ?? defaultStateDir("controller", process.env), log);
    const controller = createController(config, {
      log,
      clock: createClock(config.clock),
      forecaster: createForecaster({ config: config.forecast, log }),
      ...(config.scaling.policy === "fleet-plan"
        ? { planner: createPlannerProcess({ timeoutMs: config.scaling.plan.timeoutMs, log }) }
        : {}),
    });
    const stopped = untilStopped((stop) => {
      if (values["exit-on-stdin-close"] === true) exitOnStdinClose(stop);
    });
    // It may be standing by for another controller: then it never has started.
    void stopped.then(() => controller.stop());
    await controller.start();
    const code = await Promise.race([stopped.then(() => 0), controller.replaced.then(() => 1)]);
    await controller.stop();
    return code;
  },
};
