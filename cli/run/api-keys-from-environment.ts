import { UsageError } from "#platform/errors.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Pattern of a key, the same as of `apiKeys` in a configuration file. */
const keyPattern = /^[\x21-\x7e]{8,256}$/;

/**
 * Reads comma-separated keys from `THORMESH_API_KEY`, from the file that `THORMESH_API_KEY_FILE` names or from the service's credential. Undefined
 * without any: an empty variable, as in an environment file not yet filled in, counts as not set.
 * @throws UsageError when the file can't be used.
 */
export function apiKeysFromEnvironment(environment: Environment): string[] | undefined {
  const keys = (secretFromEnvironment(environment, "THORMESH_API_KEY") ?? "")
    .split(",")
    .flatMap((key) => key.trim() || []);
  return keys.length === 0 ? undefined : keys;
}

/**
 * Reads the same keys for a server that accepts them; the error names the variable instead of `apiKeys`.
 * @throws UsageError when the file can't be used, or a key is too short, too long or has other characters.
 */
export function acceptedApiKeysFromEnvironment(environment: Environment): string[] | undefined {
  const keys = apiKeysFromEnvironment(environment);
  const wrong = keys?.find((key) => !keyPattern.test(key));
  if (wrong === undefined) return keys;
  throw new UsageError(
    "THORMESH_API_KEY: expected 8 to 256 printable ASCII characters without spaces (openssl rand -base64 24 makes a key), " +
      `got a key of ${wrong.length} (not shown)`,
  );
}
