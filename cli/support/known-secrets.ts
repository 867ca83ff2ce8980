import { hidden, maskSecrets, redactText } from "#platform/fetch/redact-url.ts";

/** Texts shorter than this are hidden by their field's name alone: they would occur everywhere. */
const minCharacters = 4;
/** Names of variables, files and fields that hold a secret. */
const soundsSecret = /key|token|secret|pass|credential|auth/i;
const namesFile = /(_FILE|_DIR|_DIRECTORY|_PATH|_SOCK)$/;
/** Fields that name a variable, or a file, with a secret. */
const variableField = /Env$/;
const fileField = /File$/;

/** Parts of an address that its masked form lacks: password, values of the query, path of a webhook. */
const hiddenParts = (text: string, shown: string): string[] =>
  text.split(/[\s/:@?&;=#"',]+/).filter((part) => part !== "" && !shown.includes(part));

/** Lists the texts that a configuration keeps secret, as they are in it. */
export function secretsOfConfig(config: unknown, masked: unknown = maskSecrets(config)): string[] {
  if (config === masked) return [];
  if (typeof config === "string" || typeof config === "number") {
    const text = String(config);
    return masked === hidden ? [text] : [text, ...hiddenParts(text, String(masked))];
  }
  return Object.entries(Object(config) as Record<string, unknown>).flatMap(([key, value]) =>
    secretsOfConfig(value, (Object(masked) as Record<string, unknown>)[key]),
  );
}

/** Lists the values after names that sound secret, of a text that can't be parsed. */
export const secretsOfText = (text: string): string[] =>
  [...text.matchAll(/([\w-]+)["']?\s*[:=]\s*["']?([^"'\s,\]}]+)/g)].flatMap(([, name = "", value = ""]) =>
    soundsSecret.test(name) ? [value] : [],
  );

interface Named {
  readonly variables: readonly string[];
  readonly files: readonly string[];
}

/** Lists the variables and files in which a configuration says that secrets are. */
export function secretsNamed(config: unknown): Named {
  const variables: string[] = [];
  const files: string[] = [];
  const look = (value: unknown, name: string): void => {
    if (typeof value === "string") {
      if (variableField.test(name)) variables.push(value);
      if (fileField.test(name) && soundsSecret.test(name)) files.push(value);
    } else if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value)) look(inner, Array.isArray(value) ? name : key);
  };
  look(config, "");
  return { variables, files };
}

/** Lists the secrets of an environment, and the files that it names for more. @param also variables that hold a secret whatever their name is */
export function secretsOfEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  also: readonly string[],
): { readonly secrets: string[]; readonly files: string[] } {
  const secrets: string[] = [];
  const files: string[] = [];
  for (const [name, value = ""] of Object.entries(environment)) {
    if (namesFile.test(name)) {
      if (soundsSecret.test(name)) files.push(value);
    } else if (soundsSecret.test(name) || also.includes(name)) secrets.push(value, ...value.split(/[,\s]+/));
    else secrets.push(...secretsOfConfig({ value }));
  }
  return { secrets, files };
}

/** Shortest piece of base64 that is taken for a secret's. */
const minBase64Characters = 8;

/** Base64 of a secret within that of a longer text, such as "user:secret", for each place at which its first byte may fall. */
function base64Within(bytes: Buffer): string[] {
  const pieces = [0, 1, 2].map((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString("base64");
    // The first characters also hold bits of what is before it.
    return whole.slice(before === 0 ? 0 : before + 1);
  });
  return pieces
    .filter((piece) => piece.length >= minBase64Characters)
    .flatMap((piece) => [piece, piece.replaceAll("+", "-").replaceAll("/", "_")]);
}

/** Forms in which a secret may stand in a text. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const asJson = (text: string) => JSON.stringify(text).slice(1, -1);
  const [hex, encoded] = [bytes.toString("hex"), encodeURIComponent(secret)];
  return [
    ...[
      secret,
      asJson(secret),
      asJson(asJson(secret)),
      encoded,
      new URLSearchParams({ "": secret }).toString().slice(1),
    ],
    ...[encoded.replace(/%../g, (code) => code.toLowerCase()), hex, hex.toUpperCase()],
    ...[bytes.toString("base64"), bytes.toString("base64url"), ...base64Within(bytes)],
  ];
}

/** Forms of a secret of bytes, as of a key file. */
export const formsOfBytes = (bytes: Uint8Array): string[] =>
  (["base64", "base64url", "hex"] as const).map((form) => Buffer.from(bytes).toString(form));

/** Words and small numbers, which would be hidden everywhere: they come from switches whose name sounds secret. */
const isNoSecret = /^(true|false|null|yes|no|none|\d{1,5})$/i;

const privateKeys = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const joinTokens = /\bTM1\.[\w.~-]+/g;
const cookies = /\b((?:set-)?cookie"?\s*[:=]\s*"?)[^"\r\n]+/gi;

/** Returns what hides these secrets in a text, and all that looks like one: passwords in addresses, tokens, private keys. */
export function createHider(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(
    secrets
      .map((secret) => secret.trim())
      .filter((secret) => secret.length >= minCharacters && !isNoSecret.test(secret))
      .flatMap(formsOf),
  );
  // The longest first: one may be a part of another.
  const longest = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    let shown = text.replace(privateKeys, hidden);
    for (const form of longest) shown = shown.replaceAll(form, hidden);
    return redactText(shown.replace(joinTokens, hidden).replace(cookies, `$1${hidden}`));
  };
}
