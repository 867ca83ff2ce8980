import { signal } from "@preact/signals";

/** Error of an answer, or of none. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Single mistakes of what was sent, where the server lists them. */
  readonly mistakes: readonly string[];

  /** @param status 0: no answer came */
  constructor(status: number, code: string, message: string, mistakes: readonly string[] = []) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.mistakes = mistakes;
  }
}

/** True after the server has refused a request that has no session or key: the user has to log in. */
export const loginNeeded = signal(false);

let key: string | null = null;

/** Sends an API key with each request from now on; null: none. It is kept nowhere else. */
export function setKey(text: string | null): void {
  key = text;
  noteLogin();
}

/** Number of logins: a refusal of a request that was sent before the newest says nothing. */
let logins = 0;

/** Takes note that the user has logged in. */
export function noteLogin(): void {
  logins += 1;
  loginNeeded.value = false;
}

const timeLimitMs = 30_000;

async function errorOf(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => "");
  try {
    const { error, code, mistakes } = JSON.parse(text) as Readonly<Record<"error" | "code" | "mistakes", unknown>>;
    const list = Array.isArray(mistakes) ? mistakes.map(String) : [];
    if (typeof error === "string") return new ApiError(answer.status, String(code), error, list);
  } catch {
    // A proxy's own page: its status has to do.
  }
  return new ApiError(answer.status, "UNKNOWN", `the server answered ${answer.status} ${answer.statusText}`.trim());
}

/** Start of the paths that answer without a session. */
const openPaths = "/api/v1/session";

/**
 * Sends a request with the browser's session, and the key where one was given. Once that has ended nothing but the login is sent: it would be refused.
 * @throws ApiError when there is no answer or a refusal
 */
export async function request(
  path: string,
  {
    isEndless = false,
    ...init
  }: RequestInit & { /** True: an answer that never ends, as of a stream. */ isEndless?: boolean } = {},
): Promise<Response> {
  if (loginNeeded.peek() && !path.startsWith(openPaths))
    throw new ApiError(401, "UNAUTHORIZED", "the session has expired: log in again");
  const loginsBefore = logins;
  const limit = isEndless ? new AbortController().signal : AbortSignal.timeout(timeLimitMs);
  const signal = init.signal instanceof AbortSignal ? AbortSignal.any([init.signal, limit]) : limit;
  const headers = new Headers(init.headers);
  if (key !== null) headers.set("authorization", `Bearer ${key}`);
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...init, headers, signal });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, "UNREACHABLE", limit.aborted ? "it does not answer" : "it can't be reached");
  }
  if (answer.status === 401 && !path.startsWith(openPaths) && logins === loginsBefore) loginNeeded.value = true;
  if (!answer.ok) throw await errorOf(answer);
  return answer;
}

/** Reads JSON. @throws ApiError */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await request(path, signal === undefined ? {} : { signal });
  return (await answer.json()) as T;
}

/** Sends JSON for a change. Returns the answer's JSON, or null where it has none. @throws ApiError */
export async function sendJson<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: object,
): Promise<T | null> {
  const content =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await request(path, { method, ...content });
  const text = await answer.text();
  return text === "" ? null : (JSON.parse(text) as T);
}
