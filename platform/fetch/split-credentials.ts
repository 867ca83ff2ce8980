import { basicAuthorization, hasUserInfo, pathsWithUserInfo, redactUrl, splitUserInfo } from "./redact-url.ts";

/**
 * A broker's settings with the user and password of its address in the fields for them, where these are empty: an address is shown and passed on, and must not
 * hold either.
 */
export function withoutUserInfo<
  T extends { url: string | null; username: string | null; password: string | null; passwordFile: string | null },
>(broker: T): T {
  if (broker.url === null) return broker;
  const { url, username, password } = splitUserInfo(broker.url);
  const own = broker.password ?? (broker.passwordFile === null ? password : null);
  return { ...broker, url, username: broker.username ?? username, password: own };
}

/** Request settings the user and password of the address as a header, unless there is such a header already. */
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
 * Mistakes in addresses anywhere in a configuration, one line each: a user or a password may stand only in those that are taken apart when the
 * configuration is read. An address in any other field, also one that is added later, is shown and told as it is.
 * @param takenApart paths of these; `*` stands for a place in a list
 */
export function userInfoMistakes(config: unknown, takenApart: readonly string[]): string[] {
  const allowed = new Set(takenApart);
  return pathsWithUserInfo(config)
    .filter((path) => !allowed.has(path.replaceAll(/\.\d+(?=\.|$)/g, ".*")))
    .map((path) => `${path}: expected a URL without user and password, because this one is shown to others`);
}

/** Mistakes in the address of a broker, each beginning with its path; none for null and for what its schema refuses. */
export function brokerUrlMistakes(url: unknown, path: string): string[] {
  if (typeof url !== "string" || !url.includes("://")) return [];
  const parsed = URL.parse(url);
  // An unencoded "/" in a password ends the host.
  const isCut = /^(mqtts?|tcp|ssl):/i.test(url) && parsed?.pathname.includes("@") === true;
  if (parsed !== null && parsed.hostname !== "" && !isCut) return [];
  return [
    `${path}: expected an address like mqtt://host:1883 (put the password under its own key), got "${redactUrl(url)}"`,
  ];
}
