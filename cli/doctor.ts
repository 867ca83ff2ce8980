import { hostname } from "node:os";
import { parseAgentConfig } from "#agent/check-config.ts";
import { adoptIdentity } from "#agent/enrolment/adopt-identity.ts";
import { readIdentity } from "#agent/enrolment/device-identity.ts";
import { agentIdFromHostname } from "#agent/identity.ts";
import type { Health } from "#controller/api/schemas.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import { createLogger } from "#platform/log.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";
import type { CheckResult } from "#tools/doctor/check.ts";
import { checkBoard } from "#tools/doctor/check-board.ts";
import { checkBroker } from "#tools/doctor/check-broker.ts";
import { checkController } from "#tools/doctor/check-controller.ts";
import { checkEncryption } from "#tools/doctor/check-encryption.ts";
import { checkIdentity } from "#tools/doctor/check-identity.ts";
import { checkListen } from "#tools/doctor/check-network.ts";
import { checkProfile } from "#tools/doctor/check-profile.ts";
import { checkEmbedding, checkForecast, checkStateDirectory } from "#tools/doctor/check-program.ts";
import { checkTrust } from "#tools/doctor/check-trust.ts";
import { askController } from "./run/ask-controller.ts";
import { actAsService, adoptServiceEnvironment, installedConfig } from "./run/installed-service.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { readInput } from "./run/read-input.ts";
import { authorityOption } from "./run/trusted-authority.ts";

const marks = { ok: "ok    ", note: "note  ", failed: "FAILED" } as const;

function checkToText({ name, status, detail, advice }: CheckResult): string {
  const lines = [`${marks[status]}  ${name}: ${detail}`];
  if (advice !== undefined) lines.push(...advice.split("\n").map((line) => `          ${line}`));
  return lines.map((line) => cleanText(line)).join("\n");
}

export const doctorCommand: Command = {
  summary: "check this machine for an agent: what works, what is missing and how to fix it",
  usage: "[--config FILE] [--url URL | --offline] [--json]",
  optionsOnly: true,
  options: {
    config: { short: "c", value: "FILE", help: "the agent's configuration (default: the installed agent's, if any)" },
    url: { value: "URL", help: "ask the controller there, too, for its broker and its store" },
    ...authorityOption,
    offline: { help: "ask no other machine, as a new version does before it is put into force" },
    json: { help: "print JSON" },
  },
  async run(values) {
    // What it lays into the cache is what the agent loads later.
    closeNewFiles();
    const isOffline = values["offline"] === true;
    if (isOffline && "url" in values) throw new UsageError("--offline and --url: expected one of them");
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
    const results: CheckResult[] = [
      ...board,
      // A board without modes has no profile.
      ...(board.length > 1 ? [await checkProfile(stateDir, serving.model)] : []),
      checkStateDirectory(stateDir),
      ...checkTrust(path ?? null, config, stateDir),
      await checkEmbedding(serving, log),
      await checkForecast(forecast.modelDir, forecast.timeoutMs, log),
      await checkListen(serving.host, serving.port, serving.apiKeys.length > 0, isEncrypted(serving.tls)),
      checkEncryption(serving.tls, serving.host, joined !== null, Date.now()),
      ...(joined === null ? [] : [checkIdentity(joined, Date.now())]),
      ...(isOffline
        ? []
        : [
            await checkBroker(
              config.broker,
              {
                fleet: config.fleet,
                agentId: config.id ?? agentIdFromHostname(hostname()),
                environment: process.env,
              },
              joined,
            ),
          ]),
      ...(optionalString(values, "url") === undefined
        ? []
        : await checkController(async () => (await askController(values, "/healthz")) as Health)),
    ];
    const failed = results.filter(({ status }) => status === "failed").length;
    if (values["json"] === true) console.log(JSON.stringify({ ok: failed === 0, checks: results }, null, 2));
    else {
      console.log(results.map(checkToText).join("\n"));
      console.log(failed === 0 ? "\nAll checks passed." : `\n${failed} of ${results.length} checks failed.`);
    }
    return failed === 0 ? 0 : 1;
  },
};
