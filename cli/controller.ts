import { parseControllerConfig } from "#controller/check-config.ts";
import { Controller } from "#controller/controller.ts";
import { PlannerProcess } from "#controller/scaling/fleet-plan/worker/planner-process.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { createClock } from "#platform/clock.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles, closeStateDirectory } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { createLogger } from "#platform/log.ts";
import { openServiceManager } from "#platform/service/service-manager.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { printBrokerSecret } from "./controller-secret.ts";
import { writeBrokerConfig } from "./identity/broker-config.ts";
import { backUpOrRestore } from "./identity/controller-backup.ts";
import { migrateControllerStore } from "./migrate-store.ts";
import { acceptedApiKeysFromEnvironment } from "./run/api-keys-from-environment.ts";
import { exitOnStdinClose, exitOnStdinCloseOption } from "./run/exit-on-stdin-close.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { onHangup } from "./run/on-hangup.ts";
import { parseListen } from "./run/parse-listen.ts";
import { readInput, strangeVariables } from "./run/read-input.ts";
import { untilStopped } from "./run/until-stopped.ts";
import { warnOfOpenSecret } from "./run/warn-of-open-secret.ts";

function hasBrokerElsewhere(file: unknown): boolean {
  return typeof (file as { broker?: { url?: unknown } } | null)?.broker?.url === "string";
}

function hasStoreElsewhere(file: unknown): boolean {
  return typeof (file as { store?: { url?: unknown } } | null)?.store?.url === "string";
}

/** Time after which a controller that has not started is taken for one on standby, which is as ready as it can be. */
const standbyAfterMs = 15_000;

/** Reads the controller's configuration from file, environment variables and options. */
async function readControllerConfig(values: OptionValues) {
  const path = optionalString(values, "config");
  const listen = optionalString(values, "listen");
  const { input: file, source } = await readInput("controller", path, process.env);
  const brokerUrl = optionalString(values, "broker-url");
  const brokerTls = optionalString(values, "broker-tls");
  const isElsewhere = brokerUrl !== undefined || hasBrokerElsewhere(file);
  const accepted = acceptedApiKeysFromEnvironment(process.env, Object(Object(file).api).apiKeys);
  const input = mergeConfig(file, {
    fleet: optionalString(values, "fleet"),
    logLevel: optionalString(values, "log-level"),
    stateDir: optionalString(values, "state-dir"),
    insecure: values["insecure"] === true ? true : undefined,
    api: {
      ...(listen === undefined ? {} : parseListen(listen)),
      apiKeys: accepted.apiKeys,
    },
    broker: {
      port: optionalNumber(values, "broker-port", { min: 0, max: 65_535, integer: true }),
      ...(brokerTls === undefined ? {} : { tls: parseListen(brokerTls, "--broker-tls") }),
      url: brokerUrl,
      // With the embedded broker this password is the agent's, whose unit may read the same environment file.
      password: isElsewhere ? secretFromEnvironment(process.env, "THORMESH_MQTT_PASSWORD") : undefined,
    },
    // Nothing else is called so: it can't be meant for another program.
    ...(hasStoreElsewhere(file)
      ? { store: { password: secretFromEnvironment(process.env, "THORMESH_STORE_PASSWORD") } }
      : {}),
  });
  return { file, accepted, brokerUrl, config: parseControllerConfig(input, source) };
}

export const controllerCommand: Command = {
  rights: "service",
  summary: "run a fleet: decide which agents serve, and track what it costs",
  usage:
    "[--config FILE] [options]\n       thormesh controller secret AGENT_ID|--observer [--state-dir DIR | --config FILE] [--json]\n       thormesh controller broker-config mosquitto|emqx|nats --dir DIR --host NAME[,NAME] [--state-dir DIR | --config FILE]\n       thormesh controller migrate-store --to postgres://HOST:PORT/DATABASE [--state-dir DIR | --config FILE] [--json]\n       thormesh controller backup|restore DIR [--state-dir DIR | --config FILE]",
  examples: [
    "thormesh controller --config /etc/thormesh/controller.yaml",
    "sudo thormesh controller backup /srv/backup",
  ],
  options: {
    config: { short: "c", value: "FILE", help: "configuration, YAML or JSON; command-line options override it" },
    fleet: { value: "NAME", help: "name of the fleet (default: default)" },
    listen: { value: "HOST:PORT", help: "HTTP address (default: 127.0.0.1:7070)" },
    "broker-port": { value: "PORT", help: "port of the embedded MQTT broker (default: 1883)" },
    "broker-tls": {
      value: "HOST:PORT",
      help: "encrypted listener of the embedded broker, for devices that have joined",
    },
    "broker-url": { value: "URL", help: "use this external MQTT broker instead of the embedded one" },
    "state-dir": { value: "DIR", help: "directory for records and decisions" },
    "log-level": { value: "LEVEL", help: "silent, error, warn, info or debug" },
    insecure: { help: "allow listening beyond this machine without an API key, or with an unencrypted broker" },
    dir: { only: "broker-config", value: "DIR", help: "directory for an external broker's configuration" },
    host: {
      only: "broker-config",
      value: "NAME[,NAME]",
      help: "names and addresses at which the broker is reached",
    },
    observer: { only: "secret", help: "print the password of a read-only observer, for mosquitto_sub and the like" },
    to: { only: "migrate-store", value: "URL", help: "PostgreSQL database that the records are copied into" },
    json: { help: "with secret or migrate-store: print JSON" },
    ...exitOnStdinCloseOption,
  },
  async run(values, [command, ...names]) {
    if (command === "secret") return printBrokerSecret(values, names);
    if (command === "broker-config") return writeBrokerConfig(values, names);
    if (command === "migrate-store") return migrateControllerStore(values, names);
    if (command === "backup" || command === "restore") return backUpOrRestore(command, values, names);
    if (command !== undefined)
      throw unexpectedWord("options only", [command, ...names].join(" "), [
        ...["secret", "broker-config", "migrate-store", "backup", "restore"],
      ]);
    if ("observer" in values) throw new UsageError("--observer works only with: thormesh controller secret");
    if ("to" in values) throw new UsageError("--to works only with: thormesh controller migrate-store");
    if ("json" in values) throw new UsageError("--json works only with: thormesh controller secret or migrate-store");
    for (const name of ["dir", "host"])
      if (name in values) throw new UsageError(`--${name} works only with: thormesh controller broker-config`);
    const { file, accepted, brokerUrl, config } = await readControllerConfig(values);
    const log = createLogger("controller", config.logLevel);
    if (accepted.warning !== null) log.warn(accepted.warning);
    for (const sentence of strangeVariables(process.env, file)) log.warn(sentence);
    warnOfOpenSecret("--broker-url", brokerUrl, log);
    onHangup(config, async () => (await readControllerConfig(values)).config, log);
    closeNewFiles();
    closeStateDirectory(config.stateDir ?? defaultStateDir("controller", process.env), log);
    const make = () =>
      new Controller(config, {
        log,
        clock: createClock(config.clock),
        forecaster: createForecaster({ config: config.forecast, log }),
        ...(config.scaling.policy === "fleet-plan"
          ? { planner: new PlannerProcess({ timeoutMs: config.scaling.plan.timeoutMs, log }) }
          : {}),
      });
    const manager = openServiceManager(process.env, log);
    let isStopped = false;
    const stopped = untilStopped((stop) => {
      if (values["exit-on-stdin-close"] === true) exitOnStdinClose(stop);
    }).then(() => {
      isStopped = true;
      manager.stopping();
    });
    // A controller that another one replaced starts again, waits on standby and takes over when the other stops.
    while (!isStopped) {
      const controller = make();
      // On standby start() has not resolved yet: stop() ends the wait.
      void stopped.then(() => controller.stop());
      const standby = setTimeout(() => manager.ready("standing by for another controller"), standbyAfterMs);
      await controller.start();
      clearTimeout(standby);
      if (!isStopped) manager.ready("deciding for the fleet");
      await Promise.race([stopped, controller.replaced]);
      await controller.stop();
    }
    return 0;
  },
};
