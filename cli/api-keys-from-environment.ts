/** The keys of `THORMESH_API_KEY`, separated by commas; undefined without any: set and empty, as in an unfilled file of the service, is not set. */
export function apiKeysFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): string[] | undefined {
  const keys = (environment["THORMESH_API_KEY"] ?? "").split(",").flatMap((key) => key.trim() || []);
  return keys.length === 0 ? undefined : keys;
}
