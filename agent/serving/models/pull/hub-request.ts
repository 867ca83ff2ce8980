import { describeError } from "#platform/errors.ts";
import { fetchOnce } from "#platform/fetch/fetch-bounded.ts";
import { redirectRefusal } from "#platform/fetch/redirect-target.ts";
import { secondMs } from "#platform/time.ts";
import { PullError } from "./pull-error.ts";

export interface HubAccess {
  /** Has no "/" at its end. */
  readonly baseUrl: string;
  readonly token: string | null;
  /** Time for which a server may be silent, before its answer and within it. */
  readonly timeoutMs: number;
}

export interface HubAnswer {
  readonly response: Response;
  /** Headers of every answer on the way, the hub's own first: they describe a file before the redirect to it. */
  readonly hops: readonly Headers[];
}

const maxRedirects = 10;

function waitAsked(response: Response): number | null {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * secondMs : null;
}

function explainStatus(response: Response, what: string, host: string, access: HubAccess): PullError {
  const { status } = response;
  const said = `${host} answered ${status} for ${what}`;
  switch (status) {
    case 401:
      return new PullError(
        access.token === null
          ? `${said}: it does not exist, or it is private or gated and needs a token (HF_TOKEN or THORMESH_MODELS_TOKEN)`
          : `${said}: the token was not accepted`,
      );
    case 403:
      return new PullError(
        `${said}: this account or network may not read it; request access to a gated model on its page`,
      );
    case 404:
      return new PullError(`${said}: there is no such model, revision or file`);
    case 408:
    case 429:
      return new PullError(`${said}: it asks to retry later`, {
        temporary: true,
        status,
        retryAfterMs: waitAsked(response),
      });
    default:
      return new PullError(said, { temporary: status >= 500, status, retryAfterMs: waitAsked(response) });
  }
}

/** Returns the target of a redirect. The token stays with the server that it is for. */
async function redirectTarget(response: Response, from: URL): Promise<URL> {
  const location = response.headers.get("location");
  if (location === null) throw new PullError(`${from.host} answered ${response.status} without a redirect address`);
  const target = URL.parse(location, from.href);
  if (target === null) throw new PullError(`${from.host} redirects to something that is not a URL`);
  const refusal = await redirectRefusal(from, target);
  if (refusal !== null) throw new PullError(`${from.host} redirects ${refusal}: not followed`);
  return target;
}

async function send(
  url: URL,
  init: { readonly headers: Record<string, string> },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Response> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), timeoutMs);
  try {
    return await fetchOnce(url, {
      ...init,
      decompress: false,
      signal: AbortSignal.any([signal, silence.signal]),
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (silence.signal.aborted)
      throw new PullError(`${url.host} has not answered for ${timeoutMs / 1000} s`, { temporary: true });
    throw new PullError(
      `${url.host} can't be reached: ${describeError(cause)} (without a network: --url of a mirror, or --from DIR)`,
      { temporary: true },
    );
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Sends a request to the hub, following redirects.
 * @param path beneath the base address, its parts encoded
 * @param what name for error texts
 * @param accepted statuses besides 200 that the caller handles
 * @throws PullError; the signal's reason when it aborts.
 */
export async function askHub(
  access: HubAccess,
  path: string,
  what: string,
  options: { readonly signal: AbortSignal; readonly headers?: Record<string, string>; readonly accepted?: number[] },
): Promise<HubAnswer> {
  const start = new URL(`${access.baseUrl}/${path}`);
  const hops: Headers[] = [];
  let url = start;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const headers: Record<string, string> = {
      "accept-encoding": "identity",
      "user-agent": "thormesh",
      ...options.headers,
    };
    if (access.token !== null && url.origin === start.origin) headers["authorization"] = `Bearer ${access.token}`;
    const response = await send(url, { headers }, access.timeoutMs, options.signal);
    hops.push(response.headers);
    const { status } = response;
    if (status === 200 || options.accepted?.includes(status)) return { response, hops };
    await response.body?.cancel().catch(() => {});
    if (![301, 302, 303, 307, 308].includes(status)) throw explainStatus(response, what, url.host, access);
    url = await redirectTarget(response, url);
  }
  throw new PullError(`${start.host} redirects too often: ${maxRedirects} redirects for ${what}`);
}
