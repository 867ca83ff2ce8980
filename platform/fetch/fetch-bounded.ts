import { readBoundedBody } from "#platform/http/body/read-bounded-body.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { basicAuthorization, redactUrl, splitUserInfo } from "./redact-url.ts";

/**
 * Sends one request and follows no redirect: the caller decides whether to, and with which headers. User and password of the address are sent as a
 * header, so that no error can quote them.
 */
export function fetchOnce(url: string | URL, init: Omit<BunFetchRequestInit, "redirect">): Promise<Response> {
  const split = splitUserInfo(String(url));
  const headers = new Headers(init.headers);
  if ((split.username !== null || split.password !== null) && !headers.has("authorization"))
    headers.set("authorization", basicAuthorization(split.username, split.password));
  // Requests to this machine, and their keys, must not pass through a proxy.
  const direct = isLoopback(URL.parse(split.url)?.hostname ?? "") ? { proxy: false as unknown as string } : {};
  return fetch(split.url, { ...init, ...direct, headers, redirect: "manual" });
}

/** Certificates that a server must have. */
export interface ServerTrust {
  /** Authorities in PEM that are trusted instead of the public ones. */
  readonly ca?: readonly string[];
  /** Name that the certificate must have instead of the address's. */
  readonly serverName?: string;
  /** False: any certificate will do, because the answer proves itself whom it comes from. */
  readonly rejectUnauthorized?: boolean;
}

interface BoundedRequest {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Limit of real time, from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Limit of the answer's body. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  /** Path of a Unix socket to connect to instead of the address. */
  readonly unix?: string;
  /** Trust in an https server. Default: the public authorities, and those of NODE_EXTRA_CA_CERTS. */
  readonly tls?: ServerTrust | undefined;
}

/** Answer that is not accepted: a redirect, too large or compressed. */
export class UnusableAnswerError extends Error {
  override name = "UnusableAnswerError";
}

const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

function refuseRedirect(response: Response, url: URL): void {
  if (response.status < 300 || response.status > 399 || response.status === 304) return;
  const target = URL.parse(response.headers.get("location") ?? "", url.href);
  const where =
    target === null ? "elsewhere" : `to ${redactUrl(`${target.protocol}//${target.host}${target.pathname}`)}`;
  throw new UnusableAnswerError(
    `${url.host} answered ${response.status} and redirects ${where}, which is not followed`,
  );
}

/**
 * Sends a request and resolves with the whole answer, its body already read.
 * @throws UnusableAnswerError for a redirect (keys are meant for the configured address only), a body larger than `maxBytes` or a compressed one; a TimeoutError after
 * `timeoutMs`; the signal's reason when it aborts.
 */
export async function fetchBounded(url: string | URL, request: BoundedRequest): Promise<Response> {
  const { method = "GET", headers = {}, body, timeoutMs, maxBytes, signal, unix, tls } = request;
  const address = new URL(splitUserInfo(String(url)).url);
  const timeout = AbortSignal.timeout(timeoutMs);
  const aborted = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  const response = await fetchOnce(url, {
    method,
    // A compressed body can expand a thousandfold before its size is known.
    headers: { "accept-encoding": "identity", ...headers },
    decompress: false,
    signal: aborted,
    ...(body === undefined ? {} : { body }),
    ...(unix === undefined ? {} : { unix }),
    ...(tls === undefined ? {} : { tls: tls as Bun.TLSOptions }),
  });
  try {
    refuseRedirect(response, address);
    if ((response.headers.get("content-encoding") ?? "identity") !== "identity")
      throw new UnusableAnswerError(`${address.host} sent a compressed answer, although asked not to`);
    const read = response.body === null ? new Uint8Array() : await readBoundedBody(response.body, maxBytes);
    aborted.throwIfAborted();
    if (read === null) throw new UnusableAnswerError(`${address.host} answered more than ${maxBytes} bytes`);
    const { status, statusText } = response;
    return new Response(withoutBody.has(status) ? null : read, { status, statusText, headers: response.headers });
  } catch (error) {
    void response.body?.cancel().catch(() => {});
    throw error;
  }
}
