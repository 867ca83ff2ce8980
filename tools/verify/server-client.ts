import { fetchBounded, type ServerTrust } from "#platform/fetch/fetch-bounded.ts";

const maxBytes = 64 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** undefined: not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of unknown servers; each check looks at what it reads
  readonly json: any;
  readonly latencyMs: number;
}

/** Key to send: the configured one, none, or another. */
export type SentKey = "own" | "none" | { readonly other: string };

/** Server that is verified. */
export interface ServerClient {
  readonly url: string;
  readonly hasKey: boolean;
  /** @throws Error when no answer comes */
  get(path: string, key?: SentKey): Promise<Answer>;
  /** @throws Error when no answer comes */
  post(path: string, body: unknown, key?: SentKey): Promise<Answer>;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Creates a client that sends each request once. @param url base address without a slash at the end */
export function createServerClient(
  url: string,
  apiKey: string | undefined,
  timeoutMs: number,
  trust: { readonly tls?: ServerTrust } = {},
): ServerClient {
  const ask = async (method: "GET" | "POST", path: string, body: unknown, key: SentKey): Promise<Answer> => {
    const sent = key === "own" ? apiKey : key === "none" ? undefined : key.other;
    const startedMs = performance.now();
    const response = await fetchBounded(`${url}${path}`, {
      method,
      headers: {
        accept: "application/json, text/plain;q=0.5",
        ...(sent === undefined ? {} : { authorization: `Bearer ${sent}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs,
      maxBytes,
      ...trust,
    });
    const text = await response.text();
    const latencyMs = performance.now() - startedMs;
    return { status: response.status, headers: response.headers, text, json: parsed(text), latencyMs };
  };
  return {
    url,
    hasKey: apiKey !== undefined,
    get: (path, key = "own") => ask("GET", path, undefined, key),
    post: (path, body, key = "own") => ask("POST", path, body, key),
  };
}

/** Shows what a server answered: its status and its own message in any of the usual shapes, shortened. */
export function answerToText({ status, json, text }: Answer): string {
  const error = json?.error;
  const message = typeof error === "string" ? error : (error?.message ?? json?.message ?? json?.reason ?? text);
  return `${status} ${String(message).replaceAll(/\s+/g, " ").slice(0, 200)}`.trim();
}
