import { basicAuthorization, hasUserInfo, pathsWithUserInfo, redactUrl, splitUserInfo } from "./redact-url.ts";

/**
 * Moves user and password of a broker's address to the fields for them, where these are empty: addresses are shown and passed on, and must not
 * contain secrets.
 */
export function withoutUserInfo<
  T extends { url: string | null; username: string | null; password: string | null; passwordFile: string | null },
>(broker: T): T {
  if (broker.url === null) return broker;
  const { url, username, password } = splitUserInfo(broker.url);
  const own = broker.password ?? (broker.passwordFile === null ? password : null);
  return { ...broker, url, username: broker.username ?? username, password: own };
}

/** Moves user and password of an address to an `authorization` header, unless there is one. */
export function withAuthorization<T extends { url: string; headers: Readonly<Record<string, string>> }>(target: T): T {
  if (!hasUserInfo(target.url)) return target;
  const { url, username, password } = splitUserInfo(target.url);
  const hasHeader = Object.keys(target.headers).some((name) => name.toLowerCase() === "authorization");
  const headers = hasHeader
    ? target.headers
    : { ...target.headers, authorization: basicAuthorization(username, password) };
  return { ...target, url, headers };
}

/**
 * Finds addresses with a user or a password anywhere in a configuration, one line each, except in the fields from which they are moved when the
 * configuration is read: addresses in other fields are shown as they are.
 * @param takenApart paths of these fields; `*` matches a list index
 */
export function userInfoMistakes(config: unknown, takenApart: readonly string[]): string[] {
  const allowed = new Set(takenApart);
  return pathsWithUserInfo(config)
    .filter((path) => !allowed.has(path.replaceAll(/\.\d+(?=\.|$)/g, ".*")))
    .map((path) => `${path}: expected a URL without user and password, because this one is shown to others`);
}

/** Finds mistakes in a broker's address, each beginning with its path; none for null and for values that the schema refuses. */
export function brokerUrlMistakes(url: unknown, path: string): string[] {
  if (typeof url !== "string" || !url.includes("://")) return [];
  const parsed = URL.parse(url);
  // An unencoded "/" in a password ends the host part.
  const isCut = /^(mqtts?|tcp|ssl):/i.test(url) && parsed?.pathname.includes("@") === true;
  if (parsed !== null && parsed.hostname !== "" && !isCut) return [];
  return [
    `${path}: expected an address like mqtt://host:1883 (put the password under its own key), got "${redactUrl(url)}"`,
  ];
}
