import { secretFromEnvironment } from "#platform/read-secret-file.ts";

/**
 * The keys of `THORMESH_API_KEY`, of the file that `THORMESH_API_KEY_FILE` names or of the service's credential, separated by commas; undefined without any: set
 * and empty, as in an unfilled file of the service, is not set.
 * @throws UsageError when the file is none for a secret.
 */
export function apiKeysFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): string[] | undefined {
  const keys = (secretFromEnvironment(environment, "THORMESH_API_KEY") ?? "")
    .split(",")
    .flatMap((key) => key.trim() || []);
  return keys.length === 0 ? undefined : keys;
}
