import { reasonHeader } from "#controller/api/audited-change.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { explainTlsFault } from "#platform/fetch/tls-fault.ts";
import { type CommandOption, type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { apiKeysFromEnvironment } from "./api-keys-from-environment.ts";
import { authorityOption, trustedAuthorities } from "./trusted-authority.ts";

const timeoutMs = 10_000;
/** Size of a thousand decisions with all their inputs, or of ten thousand agents. */
const maxAnswerBytes = 256 * 1024 * 1024;
const defaultUrl = "http://127.0.0.1:7070";

/** Option of the commands that ask a controller. */
export const controllerUrlOption = {
  url: { value: "URL", help: `the controller (default: ${defaultUrl}); THORMESH_API_KEY holds its key` },
  ...authorityOption,
} as const satisfies Readonly<Record<string, CommandOption>>;

interface ControllerRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly body?: object;
  /** Reason of a change, for the audit log. */
  readonly reason?: string;
}

/**
 * Sends a request (a GET by default) to the controller's API, with the key of THORMESH_API_KEY, and returns its answer.
 * @throws UsageError when the address is not valid, or the controller rejects the request as invalid.
 * @throws Error when no controller answers, or with the controller's error.
 */
export async function askController(
  values: OptionValues,
  path: string,
  request: ControllerRequest = { method: "GET" },
): Promise<unknown> {
  return ask(
    { option: "url", url: optionalString(values, "url") ?? defaultUrl, who: "controller", values },
    path,
    request,
  );
}

/** {@link askController} for the API of an agent, whose address is the value of an option. */
export async function askAgent(values: OptionValues, option: string, url: string, path: string): Promise<unknown> {
  return ask({ option, url, who: "agent", values }, path, { method: "GET" });
}

const isJson = (response: Response) => /^application\/json\b/.test(response.headers.get("content-type") ?? "");

async function ask(
  asked: {
    readonly option: string;
    readonly url: string;
    readonly who: "controller" | "agent";
    readonly values: OptionValues;
  },
  path: string,
  { method, body, reason }: ControllerRequest,
): Promise<unknown> {
  const { option, url, who, values } = asked;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    throw new UsageError(`--${option}: expected an address like ${defaultUrl}, got "${redactUrl(url)}"`);
  const apiKey = apiKeysFromEnvironment(process.env)?.[0];
  const headers: Record<string, string> = apiKey ? { authorization: `Bearer ${apiKey}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (reason !== undefined) headers[reasonHeader] = encodeURIComponent(reason);
  const trust = trustedAuthorities(values);
  let response: Response;
  try {
    response = await fetchBounded(new URL(path, url), {
      method,
      headers,
      timeoutMs,
      maxBytes: maxAnswerBytes,
      ...trust,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    const fault = explainTlsFault(cause);
    if (fault !== null) throw new Error(`the ${who} at ${redactUrl(url)} is not trusted: ${fault}`, { cause });
    const isCut = url.startsWith("http:") && (cause as { code?: unknown }).code === "ECONNRESET";
    const hint = isCut ? "; if it uses TLS, its address begins with https://" : "";
    throw new Error(`no ${who} answers at ${redactUrl(url)}${hint}`, { cause });
  }
  if (response.status === 204) return null;
  if (response.ok) return isJson(response) ? response.json() : response.text();
  const answer = (await response.json().catch(() => ({}))) as { error?: unknown };
  const said = cleanText(String(answer.error ?? response.statusText));
  const message = `the ${who} at ${redactUrl(url)} answers ${response.status}: ${said}`;
  throw response.status === 400 ? new UsageError(message) : new Error(message);
}
