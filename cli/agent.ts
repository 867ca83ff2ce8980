import { Agent } from "#agent/agent.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import { tracingFromEnvironment } from "#agent/serving/tracing/tracing-environment.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles, closeStateDirectory } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { createLogger } from "#platform/log.ts";
import { openServiceManager } from "#platform/service/service-manager.ts";
import { type Command, type OptionValues, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { joinByCommand } from "./identity/agent-join.ts";
import { acceptedApiKeysFromEnvironment } from "./run/api-keys-from-environment.ts";
import { exitOnStdinClose, exitOnStdinCloseOption } from "./run/exit-on-stdin-close.ts";
import { mergeConfig, overDefaults } from "./run/merge-config.ts";
import { onHangup } from "./run/on-hangup.ts";
import { parseListen } from "./run/parse-listen.ts";
import { readInput, strangeVariables } from "./run/read-input.ts";
import { untilStopped } from "./run/until-stopped.ts";
import { warnOfOpenSecret } from "./run/warn-of-open-secret.ts";

function grpcConfig(address: string | undefined): Record<string, unknown> | undefined {
  if (address === undefined) return undefined;
  return address === "off" ? { enabled: false } : { enabled: true, ...parseListen(address, "--grpc") };
}

/** Reads the agent's configuration from file, environment variables and options. */
async function readAgentConfig(values: OptionValues) {
  const path = optionalString(values, "config");
  const listen = optionalString(values, "listen");
  const given = await readInput("agent", path, process.env);
  const accepted = acceptedApiKeysFromEnvironment(process.env, Object(Object(given.input).serving).apiKeys);
  const input = mergeConfig(overDefaults({ serving: { tracing: tracingFromEnvironment(process.env) } }, given.input), {
    id: optionalString(values, "id"),
    fleet: optionalString(values, "fleet"),
    logLevel: optionalString(values, "log-level"),
    stateDir: optionalString(values, "state-dir"),
    broker: {
      url: optionalString(values, "broker"),
      password: secretFromEnvironment(process.env, "THORMESH_MQTT_PASSWORD"),
    },
    power: { board: optionalString(values, "board") },
    serving: {
      ...(listen === undefined ? {} : parseListen(listen)),
      grpc: grpcConfig(optionalString(values, "grpc")),
      apiKeys: accepted.apiKeys,
      insecure: values["insecure"] === true ? true : undefined,
    },
  });
  return { given, accepted, config: parseAgentConfig(input, given.source) };
}

/** Runs the agent until it is asked to stop. */
async function runAgent(values: OptionValues): Promise<number> {
  const { given, accepted, config } = await readAgentConfig(values);
  closeNewFiles();
  const log = createLogger("agent", config.logLevel);
  closeStateDirectory(config.stateDir ?? defaultStateDir("agent", process.env), log);
  if (accepted.warning !== null) log.warn(accepted.warning);
  for (const sentence of strangeVariables(process.env, given.input)) log.warn(sentence);
  warnOfOpenSecret("--broker", optionalString(values, "broker"), log);
  onHangup(config, async () => (await readAgentConfig(values)).config, log);
  const agent = new Agent(config);
  const manager = openServiceManager(process.env, log);
  const stopped = untilStopped((stop) => {
    if (values["exit-on-stdin-close"] === true) exitOnStdinClose(stop);
  });
  await agent.start();
  manager.ready("serving");
  await stopped;
  manager.stopping();
  await agent.stop();
  return 0;
}

export const agentCommand: Command = {
  rights: "service",
  summary: "serve embeddings on this device, forecast its traffic and set its power mode",
  usage:
    "[--config FILE] [options]\n       thormesh agent join URL TOKEN [--id ID] [--state-dir DIR | --config FILE] [--start]",
  examples: ["thormesh agent --config /etc/thormesh/agent.yaml", "thormesh agent join https://controller:7070 TOKEN"],
  options: {
    config: { short: "c", value: "FILE", help: "configuration, YAML or JSON; command-line options override it" },
    id: { value: "ID", help: "agent id, unique in the fleet (default: the host name)" },
    fleet: { value: "NAME", help: "name of the fleet (default: default)" },
    listen: { value: "HOST:PORT", help: "HTTP address (default: 127.0.0.1:8080)" },
    grpc: {
      value: "HOST:PORT",
      help: "gRPC address, or off (default: the HTTP host, port 9090; with HTTP port 0, any free port)",
    },
    broker: { value: "URL", help: "MQTT broker (default: mqtt://127.0.0.1:1883)" },
    board: { value: "KIND", help: "auto, jetson, simulated or none (default: auto)" },
    "state-dir": { value: "DIR", help: "directory for records and the last instructions" },
    "log-level": { value: "LEVEL", help: "silent, error, warn, info or debug" },
    insecure: { help: "allow listening beyond this machine without an API key" },
    start: { only: "join", help: "then run the agent, with the other options; again, the same command just runs it" },
    wait: { only: "join", value: "SECONDS", help: "time to wait for an operator's approval (default: 600)" },
    ...exitOnStdinCloseOption,
  },
  async run(values, [command, ...words]) {
    if (command === "join") {
      await joinByCommand(values, words);
      return values["start"] === true ? runAgent(values) : 0;
    }
    if (command !== undefined) throw unexpectedWord("options only", [command, ...words].join(" "), ["join"]);
    for (const name of ["start", "wait"])
      if (name in values) throw new UsageError(`--${name} works only with: thormesh agent join`);
    return runAgent(values);
  },
};
