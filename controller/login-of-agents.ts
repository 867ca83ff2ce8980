import type { FleetBroker } from "./broker/fleet-broker.ts";
import type { ControllerConfig } from "./config.ts";

/** Returns broker, user and password for agents that the controller starts. */
export function loginOfAgents({ broker }: Pick<ControllerConfig, "broker">, { url, keyFile }: FleetBroker) {
  const { username, password, passwordFile } = broker;
  // At the embedded broker an agent has a secret of its own, whatever is configured for the controller at another one.
  return keyFile === null
    ? { url, username, password, passwordFile, keyFile }
    : { url, username: null, password: null, passwordFile: null, keyFile };
}
