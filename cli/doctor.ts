import { hostname } from "node:os";
import { parseAgentConfig } from "#agent/check-config.ts";
import { adoptIdentity } from "#agent/enrolment/adopt-identity.ts";
import { readIdentity } from "#agent/enrolment/device-identity.ts";
import { agentIdFromHostname } from "#agent/identity.ts";
import type { Health } from "#controller/api/schemas.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import { createLogger } from "#platform/log.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { paintFor } from "#platform/terminal/paint.ts";
import type { CheckResult } from "#tools/doctor/check.ts";
import { checkBoard } from "#tools/doctor/check-board.ts";
import { checkBroker } from "#tools/doctor/check-broker.ts";
import { checkController } from "#tools/doctor/check-controller.ts";
import { checkEncryption } from "#tools/doctor/check-encryption.ts";
import { checkIdentity } from "#tools/doctor/check-identity.ts";
import { checkInstallation } from "#tools/doctor/check-installation.ts";
import { checkListen } from "#tools/doctor/check-network.ts";
import { checkProfile } from "#tools/doctor/check-profile.ts";
import { checkEmbedding, checkForecast, checkStateDirectory, usualWaitMs } from "#tools/doctor/check-program.ts";
import { checkClock, checkSystem } from "#tools/doctor/check-system.ts";
import { checkTrust } from "#tools/doctor/check-trust.ts";
import { checksToText, countChecks } from "#tools/doctor/checks-to-text.ts";
import { askController } from "./run/ask-controller.ts";
import { actAsService, adoptServiceEnvironment, installedConfig } from "./run/installed-service.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { readInput } from "./run/read-input.ts";
import { authorityOption } from "./run/trusted-authority.ts";

/** Runs the checks one after the other, with the rights of the installed service. */
async function runChecks(values: OptionValues): Promise<CheckResult[]> {
  const isOffline = values["offline"] === true;
  const waitMs = (optionalNumber(values, "wait", { min: 1, max: 3600 }) ?? usualWaitMs / 1000) * 1000;
  const given = optionalString(values, "config");
  const path = given ?? installedConfig("agent");
  if (path !== undefined && given === undefined) adoptServiceEnvironment("agent");
  // The file names commands that are run here: root must be its only writer. For other users checkTrust reports a bad one with the rest.
  const { input, source } = await readInput("agent", path, process.env, process.geteuid?.() !== 0);
  const password = secretFromEnvironment(process.env, "THORMESH_MQTT_PASSWORD");
  const configured = parseAgentConfig(mergeConfig(input, { broker: { password } }), source);
  const stateDir = configured.stateDir ?? defaultStateDir("agent", process.env);
  // What root may do says nothing about what the service can.
  actAsService("agent", stateDir);
  const joined = readIdentity(stateDir);
  const config = adoptIdentity(configured, joined);
  // The checks report what they find: the log would repeat it.
  const log = createLogger("doctor", "silent");
  const { serving, forecast } = config;
  const board = await checkBoard(config.power, log);
  const agent = {
    fleet: config.fleet,
    agentId: config.id ?? agentIdFromHostname(hostname()),
    environment: process.env,
  };
  return [
    await checkSystem(),
    checkClock(Date.now()),
    ...(await checkInstallation()),
    ...board,
    // A board without modes has no profile.
    ...(board.length > 1 ? [await checkProfile(stateDir, serving.model)] : []),
    checkStateDirectory(stateDir),
    ...checkTrust(path ?? null, config, stateDir),
    await checkEmbedding(serving, log, waitMs),
    await checkForecast(forecast.modelDir, forecast.timeoutMs, log, waitMs),
    await checkListen(serving.host, serving.port, serving.apiKeys.length > 0, isEncrypted(serving.tls)),
    checkEncryption(serving.tls, serving.host, joined !== null, Date.now()),
    ...(joined === null ? [] : [checkIdentity(joined, Date.now())]),
    ...(isOffline ? [] : [await checkBroker(config.broker, agent, joined)]),
    ...(optionalString(values, "url") === undefined
      ? []
      : await checkController(async () => (await askController(values, "/healthz")) as Health)),
  ];
}

export const doctorCommand: Command = {
  summary:
    "check this machine for an agent: what works, what is missing and how to fix it (exit code 1: a check failed)",
  usage: "[--config FILE] [--url URL | --offline] [--wait SECONDS] [--json]",
  examples: ["sudo thormesh doctor", "thormesh doctor --config agent.yaml --json"],
  optionsOnly: true,
  options: {
    config: { short: "c", value: "FILE", help: "the agent's configuration (default: the installed agent's, if any)" },
    url: { value: "URL", help: "also ask this controller about its broker and store" },
    ...authorityOption,
    offline: { help: "contact no other machine, as when an update checks itself" },
    wait: {
      value: "SECONDS",
      help: `time that a model may take on a slow or busy machine (default: ${usualWaitMs / 1000})`,
    },
    json: { help: "print JSON" },
  },
  async run(values) {
    if (values["offline"] === true && "url" in values)
      throw new UsageError("--offline and --url: expected one of them");
    // What it lays into the cache is what the agent loads later.
    closeNewFiles();
    const checks = await runChecks(values);
    const counts = countChecks(checks);
    const ok = counts.failed === 0;
    if (values["json"] === true) console.log(JSON.stringify({ ok, counts, checks }, null, 2));
    else console.log(checksToText(checks, paintFor(process.stdout, process.env)));
    return ok ? 0 : 1;
  },
};
