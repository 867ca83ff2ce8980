import { brokerKeyPath, readBrokerKey } from "#controller/broker/broker-key.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { agentSecret, isBrokerName, observerSecret, observerUsername } from "#protocol/broker-secret.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { readInput } from "./run/read-input.ts";

/** Prints the broker password of an agent on another machine or of another user, or of the observer. */
export async function printBrokerSecret(values: OptionValues, names: readonly string[]): Promise<number> {
  const [agentId, ...more] = names;
  const isObserver = values["observer"] === true;
  if (more.length > 0 || (agentId === undefined) !== isObserver)
    throw new UsageError("expected one agent id, or --observer");
  if (agentId !== undefined && !isBrokerName(agentId))
    throw new UsageError(`agent id: expected 1 to 64 letters, digits, dots, dashes and underscores, got "${agentId}"`);
  const path = optionalString(values, "config");
  const { input, source } = await readInput("controller", path, process.env, true);
  const config = parseControllerConfig(
    mergeConfig(input, {
      fleet: optionalString(values, "fleet"),
      stateDir: optionalString(values, "state-dir"),
    }),
    source,
  );
  const stateDir = config.stateDir ?? defaultStateDir("controller", process.env);
  const key = readBrokerKey(stateDir);
  if (key === null) {
    throw new UsageError(
      `${brokerKeyPath(stateDir)} does not exist: start the controller once, or give its state directory with --state-dir or --config`,
    );
  }
  const { fleet } = config;
  const username = agentId ?? observerUsername;
  const password = agentId === undefined ? observerSecret(key, fleet) : agentSecret(key, fleet, agentId);
  if (values["json"] === true) printLine(JSON.stringify({ fleet, username, password }, null, 2));
  else printLine(password);
  return 0;
}
