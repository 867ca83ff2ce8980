import { describeError } from "#platform/errors.ts";
import { readBoundedBody } from "#platform/http/read-bounded-body.ts";

/** What came of asking: a JSON value, or why there is none. */
export type Fetched = { readonly json: unknown } | { readonly fault: string };

export interface FetchJsonOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** An answer with one number needs no more. */
const mostBytes = 1024 * 1024;

/** GETs JSON of at most 1 MiB within `timeoutMs` of real time, connecting and reading included. Never rejects. */
export async function fetchJson(url: URL, { headers, timeoutMs, signal }: FetchJsonOptions): Promise<Fetched> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json", ...headers },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    if (!response.ok) {
      void response.body?.cancel().catch(() => undefined);
      return { fault: `${url.host} answered ${response.status}` };
    }
    const body = response.body === null ? new Uint8Array() : await readBoundedBody(response.body, mostBytes);
    if (body === null) return { fault: `${url.host} answered more than ${mostBytes} bytes` };
    try {
      return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) };
    } catch {
      return { fault: `${url.host} answered something else than JSON` };
    }
  } catch (error) {
    if (timeout.aborted) return { fault: `${url.host} did not answer within ${timeoutMs / 1000} s` };
    return { fault: `${url.host} can't be asked: ${describeError(error)}` };
  }
}
