import { statSync } from "node:fs";
import { hostname } from "node:os";
import { parseAgentConfig } from "#agent/check-config.ts";
import { joinFleet } from "#agent/enrolment/join-fleet.ts";
import { agentIdFromHostname } from "#agent/identity.ts";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { isBrokerName } from "#protocol/broker-secret.ts";
import { type JoinToken, parseJoinToken } from "#protocol/identity/join-token.ts";
import { mergeConfig } from "../run/merge-config.ts";
import { readInput } from "../run/read-input.ts";

const tokenVariable = "THORMESH_JOIN_TOKEN";

/** Reads the token from the command line, from standard input for "-", else from the environment: other users can see command lines. */
async function readToken(word: string | undefined): Promise<JoinToken> {
  const text =
    word === "-"
      ? (await Bun.stdin.text()).slice(0, 1024)
      : (word ?? secretFromEnvironment(process.env, tokenVariable));
  if (text === undefined)
    throw new UsageError(`expected a token, "-" to read it from standard input, or ${tokenVariable}`);
  const token = parseJoinToken(text);
  if (token === null)
    throw new UsageError(
      "token: expected TM1. and three more parts, as thormesh token create prints it; copy all of it",
    );
  return token;
}

/** @throws UsageError when the agent, which owns its directory, could not read what is written there. */
function refuseForeignDirectory(stateDir: string): void {
  const owner = statSync(stateDir, { throwIfNoEntry: false })?.uid;
  const own = process.geteuid?.();
  if (owner === undefined || own === undefined || owner === own) return;
  throw new UsageError(
    `${stateDir} belongs to user ${owner}, and this is user ${own}: run this as the agent's user, like sudo -u thormesh-agent thormesh agent join …`,
  );
}

/** Joins this device to the fleet of a controller. */
export async function joinByCommand(values: OptionValues, words: readonly string[]): Promise<void> {
  const [controllerUrl, word, ...more] = words;
  if (controllerUrl === undefined || more.length > 0)
    throw new UsageError("expected the controller's address and a token: thormesh agent join URL TOKEN");
  if (!/^https?:$/.test(URL.parse(controllerUrl)?.protocol ?? ""))
    throw new UsageError(
      `URL: expected the controller's address, like http://controller:7070, got "${redactUrl(controllerUrl)}"`,
    );
  const token = await readToken(word);
  const path = optionalString(values, "config");
  const { input, source } = await readInput("agent", path, process.env);
  const config = parseAgentConfig(
    mergeConfig(input, { id: optionalString(values, "id"), stateDir: optionalString(values, "state-dir") }),
    source,
  );
  const agentId = config.id ?? agentIdFromHostname(hostname());
  if (!isBrokerName(agentId)) throw new UsageError(`agent id: "${agentId}" can't be one; choose another with --id`);
  const waitS = optionalNumber(values, "wait", { min: 0, max: 86_400 }) ?? 600;
  const stateDir = config.stateDir ?? defaultStateDir("agent", process.env);
  refuseForeignDirectory(stateDir);
  closeNewFiles();
  const { identity, before, clockLeadMs } = await joinFleet({
    ...{ controllerUrl, token, agentId, waitMs: waitS * secondMs },
    stateDir,
    onPending: () => printLine(`${agentId} waits for: thormesh agents approve ${agentId}`),
    sleep: Bun.sleep,
  });
  const until = new Date(identity.notAfterMs).toISOString();
  const region = identity.region === "" ? "" : `, region ${identity.region}`;
  printLine(
    `${before ? "this device had joined" : "joined"} fleet ${identity.fleet} as ${identity.agentId}${region}; its certificate ends ${until} and is renewed before${values["start"] === true ? "" : "; (re)start the agent"}`,
  );
  if (clockLeadMs !== null && Math.abs(clockLeadMs) > 5 * minuteMs)
    printLine(
      `note: this device's clock says ${new Date().toISOString()}, the controller's ${new Date(Date.now() + clockLeadMs).toISOString()}: set it (timedatectl set-ntp true), or certificates may seem expired or not yet valid`,
    );
}
