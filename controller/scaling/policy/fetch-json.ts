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

const mostErrorBytes = 16 * 1024;
const mostErrorText = 200;

/** What the answer says of itself, as Prometheus does of a query it can't read; empty when it says nothing. */
async function whySo(response: Response): Promise<string> {
  try {
    const body = response.body === null ? null : await readBoundedBody(response.body, mostErrorBytes);
    const { error } = Object(JSON.parse(new TextDecoder().decode(body ?? new Uint8Array())));
    return typeof error === "string" && error !== "" ? `: ${error.slice(0, mostErrorText)}` : "";
  } catch {
    return "";
  }
}

/** GETs JSON of at most 1 MiB within `timeoutMs` of real time, connecting and reading included. Never rejects. */
export async function fetchJson(url: URL, { headers, timeoutMs, signal }: FetchJsonOptions): Promise<Fetched> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json", ...headers },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    if (!response.ok) return { fault: `${url.host} answered ${response.status}${await whySo(response)}` };
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
