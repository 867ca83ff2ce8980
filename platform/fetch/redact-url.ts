/** Replacement for a secret. */
export const hidden = "***";

/** Characters that end an address in running text; a backslash begins an escape in JSON. */
const urlsInText = /\b[a-z][a-z0-9+.-]{0,31}:\/\/[^\s"<>\\]+/gi;

/** Words that follow "Bearer" in sentences, not in headers. */
const afterBearer = "tokens?\\b|auth|scheme|keys?\\b|headers?\\b|is\\b|was\\b|and\\b|or\\b|for\\b";
const bearers = new RegExp(`\\b(Bearer)\\s+(?!(?:${afterBearer}))[^\\s"'\\\\,;<>]+`, "gi");
/** Base64 of `user:password` has a digit, an end mark or a capital within; a word of a sentence has not. */
const basics = /\b(Basic)\s+(?=[A-Za-z0-9+/]*(?:[0-9+/=]|[a-z][A-Z]))[A-Za-z0-9+/]{4,}={0,2}/g;
/** `name=value` and `"name":"value"`, of names that are only given to secrets. */
const secretNames = "password|passwd|secret|client_secret|token|access_token|api_?key|signature|authorization";
const assignments = new RegExp(`\\b(${secretNames})=[^\\s"'\\\\,;&<>]+`, "gi");
const fields = new RegExp(`("(?:${secretNames})"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, "gi");
/** Beginning of an address: with "://", or, of these schemes, with any slashes or none, which parsers put right. */
const beginning = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:https?|wss?|mqtts?):[/\\]*)/i;
/** Addresses of these schemes without exactly two slashes, in running text; searched only where there is an "@". */
const oddUrlsInText = /\b(?:https?|wss?|mqtts?):(?!\/\/)[/\\]?[^\s"<>/\\][^\s"<>\\]*/gi;
/** `user:password@host`, possibly after two slashes, of an address whose scheme was forgotten. */
const bareUserInfo = /(?<![\w:/@.-])(?:\/\/)?[^\s"'<>\\/@:=(){}[\],;]{0,128}:[^\s"'<>\\@/]{1,256}@(?=[\w[])/g;

interface UrlParts {
  /** Text before the user, the password and the host. */
  readonly scheme: string;
  /** Percent-encoded as it came, without "@"; null: none. */
  readonly userInfo: string | null;
  /** Rest of the address: host, port, path, query and fragment. */
  readonly rest: string;
}

/**
 * Takes an address apart as text: what does not parse may hold a secret anyway. Null where there is no scheme.
 * @param suspicious takes also for a user and password what parses as host, port and path, as in `mqtt://user:1/2@host`, or has no scheme
 */
function partsOf(url: string, suspicious: boolean): UrlParts | null {
  const begins = beginning.exec(url)?.[0] ?? null;
  // Without a scheme an "@" tells of a user and a password anyway.
  if (begins === null && !(suspicious && url.includes("@"))) return null;
  const scheme = begins ?? /^[/\\]*/.exec(url)?.[0] ?? "";
  const rest = url.slice(scheme.length);
  const authorityEnd = rest.search(/[/?#\\]/);
  const authority = authorityEnd < 0 ? rest : rest.slice(0, authorityEnd);
  // An unencoded "/", "?" or "#" in a password makes the rest of it look like a path.
  const maybeCut = suspicious && !/^https?:/i.test(scheme) && authority.includes(":") && !authority.includes("@");
  const at = (maybeCut || URL.parse(url) === null ? rest : authority).lastIndexOf("@");
  if (at < 0) return { scheme, userInfo: null, rest };
  return { scheme, userInfo: rest.slice(0, at), rest: rest.slice(at + 1) };
}

/** True for an address that names a user, a password or both. */
export function hasUserInfo(url: string): boolean {
  return (partsOf(url, false)?.userInfo ?? null) !== null;
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Splits an address into the address without user and password, and these, decoded; null where it has none. */
export function splitUserInfo(url: string) {
  const parts = partsOf(url, false);
  if (parts === null || parts.userInfo === null) return { url, username: null, password: null };
  const colon = parts.userInfo.indexOf(":");
  const username = decoded(colon < 0 ? parts.userInfo : parts.userInfo.slice(0, colon));
  const password = colon < 0 ? null : decoded(parts.userInfo.slice(colon + 1));
  return { url: parts.scheme + parts.rest, username: username === "" ? null : username, password };
}

/** The value of an Authorization header for a user and a password. */
export function basicAuthorization(username: string | null, password: string | null): string {
  return `Basic ${Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64")}`;
}

const hideQuery = (query: string) =>
  query
    .split(/([&;])/)
    .map((pair) => {
      if (pair === "" || pair === "&" || pair === ";") return pair;
      const equals = pair.indexOf("=");
      if (equals < 0) return hidden;
      return equals === pair.length - 1 ? pair : `${pair.slice(0, equals)}=${hidden}`;
    })
    .join("");

/** Addresses of incoming webhooks whose path is the secret: it stays as far as it is the same for all. */
const secretPaths =
  /^((?:[a-z0-9-]+\.)*(?:hooks\.slack\.com\/(?:services|workflows|triggers)|discord(?:app)?\.com\/api\/webhooks|webhook\.office\.com\/webhookb2))\/.+$/i;

/** Address that is safe to show: without user, password, values of the query, fragment and the secret path of a webhook. */
export function redactUrl(url: string): string {
  const parts = partsOf(url, true);
  if (parts === null) return url;
  const { scheme, rest } = parts;
  const webhook = secretPaths.exec(rest)?.[1];
  if (webhook !== undefined) return `${scheme}${webhook}/${hidden}`;
  const fragment = rest.indexOf("#");
  const shown = fragment < 0 ? rest : rest.slice(0, fragment);
  const query = shown.indexOf("?");
  if (query < 0) return scheme + shown;
  return `${scheme}${shown.slice(0, query)}?${hideQuery(shown.slice(query + 1))}`;
}

/** Redacts every address in a text as {@link redactUrl} does, and the secrets after `Bearer`, `password=` and the like. JSON stays JSON. */
export function redactText(text: string): string {
  // Most texts are short sentences without any of these, and floods of them are checked.
  let shown = text;
  if (shown.includes("://")) shown = shown.replace(urlsInText, redactUrl);
  if (shown.includes("@")) shown = shown.replace(oddUrlsInText, redactUrl).replace(bareUserInfo, `${hidden}@`);
  if (shown.includes("earer") || shown.includes("EARER")) shown = shown.replace(bearers, `$1 ${hidden}`);
  if (shown.includes("Basic")) shown = shown.replace(basics, `$1 ${hidden}`);
  if (shown.includes("=")) shown = shown.replace(assignments, `$1=${hidden}`);
  if (shown.includes('":') || shown.includes('" :')) shown = shown.replace(fields, `$1"${hidden}"`);
  return shown;
}

/** Names of a configuration's secrets, without variables and files that only contain one. */
const secretKey = /(pass(word|wd|phrase)?|secret|token|apikeys?|api_keys?|^keys?|authorization|credentials?)$/i;
/** Headers, of which any may be a secret. */
const secretRecord = /^headers$/i;

function masked(value: unknown, isSecret: boolean): unknown {
  if (typeof value === "string" && isSecret) return hidden;
  if (typeof value === "string")
    return redactText(value.includes("://") ? value : value.replace(/^[^\s/@:]*:[^\s@]*@/, ""));
  if (typeof value === "number" && isSecret) return hidden;
  if (Array.isArray(value)) return value.map((each) => masked(each, isSecret));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      masked(each, (isSecret && key !== "tenant") || secretKey.test(key) || secretRecord.test(key)),
    ]),
  );
}

/** Masks the secrets of a configuration or a part of one. @param path keys of the part, from the top: parts of a secret are secret */
export function maskSecrets(value: unknown, path: readonly string[] = []): unknown {
  return masked(
    value,
    path.some((key) => secretKey.test(key) || secretRecord.test(key)),
  );
}

/** Paths of all addresses with a user or password in a configuration, except in secrets. */
export function pathsWithUserInfo(value: unknown, path = ""): string[] {
  if (typeof value === "string") return hasUserInfo(value) ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    secretKey.test(key) || secretRecord.test(key) ? [] : pathsWithUserInfo(each, path === "" ? key : `${path}.${key}`),
  );
}
