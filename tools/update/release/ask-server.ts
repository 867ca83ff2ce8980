import { describeError } from "#platform/errors.ts";
import { fetchOnce } from "#platform/fetch/fetch-bounded.ts";
import { redirectRefusal } from "#platform/fetch/redirect-target.ts";
import { readBoundedBody } from "#platform/http/body/read-bounded-body.ts";
import { UpdateError } from "../update-error.ts";

/** Limits of the time that a server of releases may take. */
export interface ServerLimits {
  /** Time to begin an answer, and for all of a small one. */
  readonly answerWithinMs: number;
  /** Rate below which a download is given up. */
  readonly minBytesPerS: number;
  /** Time over which the rate is taken. */
  readonly rateOverMs: number;
  /** Wait before a download that was cut is continued. */
  readonly retryAfterMs: number;
}

export const standardLimits = { answerWithinMs: 30_000, rateOverMs: 30_000, retryAfterMs: 1_000 } as const;

const maxRedirects = 5;

/** Requests a file, following redirects, none of which leads from https to http or from the internet into this network. */
export async function askServer(
  start: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  let url = start;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    let response: Response;
    try {
      response = await fetchOnce(url, {
        headers: { "accept-encoding": "identity", "user-agent": "thormesh", ...headers },
        decompress: false,
        signal,
      });
    } catch (cause) {
      throw new UpdateError(`${url.host} can't be reached: ${describeError(cause)}`, { temporary: true });
    }
    if (![301, 302, 303, 307, 308].includes(response.status)) return response;
    await response.body?.cancel().catch(() => {});
    const target = URL.parse(response.headers.get("location") ?? "", url.href);
    const refusal = target === null ? "to something that is not a URL" : await redirectRefusal(url, target);
    if (target === null || refusal !== null) throw new UpdateError(`${url.host} redirects ${refusal}: not followed`);
    url = target;
  }
  throw new UpdateError(`${start.host} redirects more than ${maxRedirects} times`);
}

/** @throws UpdateError for an answer that is none of these */
export async function refuseStatus(response: Response, url: URL, accepted: readonly number[]): Promise<void> {
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (accepted.includes(response.status) && encoding === "identity") return;
  await response.body?.cancel().catch(() => {});
  const said =
    encoding === "identity"
      ? `answered ${response.status}`
      : `sends it as ${encoding.slice(0, 40)}, although asked not to`;
  throw new UpdateError(`${url.host} ${said} for ${url.pathname}`, { temporary: response.status >= 500 });
}

/** Reads a small file. @throws UpdateError when it is larger, does not come in time, or is not there */
export async function readSmall(url: URL, maxBytes: number, { answerWithinMs }: ServerLimits): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(answerWithinMs);
  try {
    const response = await askServer(url, {}, signal);
    await refuseStatus(response, url, [200]);
    const bytes = response.body === null ? new Uint8Array() : await readBoundedBody(response.body, maxBytes);
    if (bytes === null)
      throw new UpdateError(`${url.pathname}: expected at most ${maxBytes} bytes, ${url.host} sends more`);
    return bytes;
  } catch (error) {
    if (signal.aborted)
      throw new UpdateError(`${url.host} did not send ${url.pathname} within ${answerWithinMs / 1000} s`, {
        temporary: true,
      });
    throw error;
  }
}
