import { UsageError } from "#platform/errors.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Pattern of a key, the same as of `apiKeys` in a configuration file. */
const keyPattern = /^[\x21-\x7e]{8,256}$/;

const serverName = "THORMESH_SERVER_API_KEY";
const clientName = "THORMESH_API_KEY";

function keysOf(environment: Environment, name: string): string[] | undefined {
  const keys = (secretFromEnvironment(environment, name) ?? "").split(",").flatMap((key) => key.trim() || []);
  return keys.length === 0 ? undefined : keys;
}

/**
 * Reads the comma-separated keys that a client sends, from `THORMESH_API_KEY`, the file that `THORMESH_API_KEY_FILE` names or the service's
 * credential. Undefined without any: an empty variable, as in an environment file not yet filled in, counts as not set.
 * @throws UsageError when the file can't be used.
 */
export function apiKeysFromEnvironment(environment: Environment): string[] | undefined {
  return keysOf(environment, clientName);
}

export interface AcceptedApiKeys {
  /** Keys that replace those of the configuration; undefined: none do. */
  readonly apiKeys: string[] | undefined;
  /** Message for the log; null: none. */
  readonly warning: string | null;
}

/**
 * Reads the keys that a server accepts, from `THORMESH_SERVER_API_KEY` likewise. `THORMESH_API_KEY`, which is a client's, still counts where there
 * are no others, with a warning: exported for the commands, it must not replace the keys of a service.
 * @param configured keys of the configuration file, if any
 * @throws UsageError when the file can't be used, or a key is too short, too long or has other characters.
 */
export function acceptedApiKeysFromEnvironment(environment: Environment, configured: unknown): AcceptedApiKeys {
  const own = keysOf(environment, serverName);
  const hasConfigured = Array.isArray(configured) && configured.length > 0;
  const name = own === undefined ? clientName : serverName;
  if (own === undefined && hasConfigured)
    return {
      apiKeys: undefined,
      warning:
        keysOf(environment, clientName) === undefined
          ? null
          : `${clientName} is not used: it holds the key that commands send, and the configuration has keys of its own. Set ${serverName} to replace them`,
    };
  const apiKeys = own ?? keysOf(environment, clientName);
  const wrong = apiKeys?.find((key) => !keyPattern.test(key));
  if (wrong !== undefined)
    throw new UsageError(
      `${name}: expected 8 to 256 printable ASCII characters without spaces (openssl rand -base64 24 makes a key), ` +
        `got a key of ${wrong.length} (not shown)`,
    );
  const isDeprecated = own === undefined && apiKeys !== undefined;
  return {
    apiKeys,
    warning: isDeprecated
      ? `${clientName} is accepted as this server's key; this is deprecated and ends with version 1.0: use ${serverName} instead (or ${serverName}_FILE, or the credential thormesh-server-api-key)`
      : null,
  };
}
