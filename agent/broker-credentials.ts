import { describeError } from "#platform/errors.ts";
import { readSecretIfThere } from "#platform/files/write-secret-file.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import type { CountedLog } from "#platform/log.ts";
import { agentSecret, parseBrokerKey, sharedKeyPath } from "#protocol/broker-secret.ts";
import type { BrokerCredentials } from "#protocol/mqtt/mqtt-broker-options.ts";
import type { AgentConfig } from "./config.ts";
import { brokerTls } from "./enrolment/broker-tls.ts";
import type { DeviceIdentity } from "./enrolment/device-identity.ts";

export interface BrokerCredentialsParts {
  readonly broker: Pick<AgentConfig["broker"], "url" | "username" | "password" | "passwordFile" | "keyFile">;
  /** Identity of a device that has joined a fleet, as it is now; default: it has not. */
  readonly joined?: () => DeviceIdentity | null;
  readonly fleet: string;
  readonly agentId: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly counted: CountedLog;
}

const isEncrypted = (url: string) => /^(mqtts|ssl|wss):/.test(url);

/** Returns the path of the key that a controller on this machine writes; null for a broker elsewhere. */
function localKeyPath(url: string, environment: BrokerCredentialsParts["environment"]): string | null {
  if (!URL.canParse(url)) return null;
  const { hostname, port, protocol } = new URL(url);
  if (!isLoopback(hostname)) return null;
  return sharedKeyPath(environment, Number(port) || (protocol === "mqtts:" || protocol === "ssl:" ? 8883 : 1883));
}

/**
 * Returns a function that looks up this agent's user name and password, to be called before each connection: the password from the
 * configuration or a file, else the one derived from its fleet's key, which a controller on this machine writes for its user's agents.
 */
export function createBrokerCredentials(parts: BrokerCredentialsParts): () => BrokerCredentials {
  const { broker, fleet, agentId, environment, counted } = parts;
  const fromKey = (path: string): BrokerCredentials => {
    const text = readSecretIfThere(path, "the broker's key");
    if (text === null) return {};
    const key = parseBrokerKey(text);
    if (key !== null) return { username: agentId, password: agentSecret(key, fleet, agentId) };
    counted.note("the broker's key file does not contain a key", { path });
    return {};
  };
  const logIn = (): BrokerCredentials => {
    const username = broker.username ?? agentId;
    try {
      if (broker.password !== null) return { username, password: broker.password };
      if (broker.passwordFile !== null) {
        const password = readSecretIfThere(broker.passwordFile, "broker.passwordFile");
        if (password !== null && password !== "") return { username, password };
        counted.note("the broker's password file is missing or empty", { path: broker.passwordFile });
        return {};
      }
      if (broker.keyFile !== null) return fromKey(broker.keyFile);
      if (broker.username !== null) return { username: broker.username };
      const shared = localKeyPath(broker.url, environment);
      return shared === null ? {} : fromKey(shared);
    } catch (error) {
      counted.note("the broker password can't be used", { err: describeError(error) });
      return {};
    }
  };
  return () => {
    const identity = parts.joined?.() ?? null;
    if (identity === null || !isEncrypted(broker.url)) return logIn();
    const isConfigured = broker.username !== null || broker.password !== null || broker.passwordFile !== null;
    return { ...(isConfigured ? logIn() : {}), tls: brokerTls(identity) };
  };
}
