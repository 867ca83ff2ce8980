import { BrokerLimits } from "#controller/broker/broker-config.ts";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import type { ClientAccess, ClientRights } from "#controller/broker/client-access.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import {
  agentClientId,
  agentSecret,
  observerSecret,
  observerUsername,
  parseBrokerKey,
} from "#protocol/broker-secret.ts";

/** Key of a fleet, for tests that store none. */
export const testKey = parseBrokerKey("test".repeat(10).concat("key")) as Uint8Array;

export interface Login {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
}

/** Login of an agent at its fleet's embedded broker. */
export function agentLogin(agentId: string, fleet = "default", key: Uint8Array = testKey): Login {
  return { clientId: agentClientId(fleet, agentId), username: agentId, password: agentSecret(key, fleet, agentId) };
}

/** Login of an observer. */
export function observerLogin(fleet = "default", key: Uint8Array = testKey): Login {
  return {
    clientId: `people-${crypto.randomUUID()}`,
    username: observerUsername,
    password: observerSecret(key, fleet),
  };
}

/** Returns the key of a controller that was started in a directory. */
export function keyIn(stateDir: string): Uint8Array {
  const key = readBrokerKey(stateDir);
  if (key === null) throw new Error(`no controller has been started in ${stateDir}`);
  return key;
}

/** Default limits of the embedded broker, with changes. */
export function brokerLimits(given: Partial<BrokerLimits> = {}): BrokerLimits {
  return parseConfig(BrokerLimits, given, "test");
}

const everything: ClientRights = {
  role: "observer",
  name: "anybody",
  denyPublish: () => null,
  costOf: () => 1,
  maySubscribe: () => true,
  mayReceive: () => true,
  maxSubscriptions: 100,
};

/** Allows every client everything: for tests of what does not depend on the client. */
export const openAccess: ClientAccess = { admit: () => ({ rights: everything }) };
