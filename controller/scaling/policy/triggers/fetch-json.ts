import { describeError } from "#platform/errors.ts";
import { fetchBounded, UnusableAnswerError } from "#platform/fetch/fetch-bounded.ts";

/** What came of asking: a JSON value, or why there is none. */
export type Fetched = { readonly json: unknown } | { readonly fault: string };

export interface FetchJsonOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** An answer with one number needs no more. */
const mostBytes = 1024 * 1024;

const mostErrorText = 200;

/** What the answer says of itself, as Prometheus does of a query it can't read; empty when it says nothing. */
async function whySo(response: Response): Promise<string> {
  try {
    const { error } = Object(await response.json());
    return typeof error === "string" && error !== "" ? `: ${error.slice(0, mostErrorText)}` : "";
  } catch {
    return "";
  }
}

/** GETs JSON of at most 1 MiB within `timeoutMs` of real time, connecting and reading included. Never rejects. */
export async function fetchJson(url: URL, { headers, timeoutMs, signal }: FetchJsonOptions): Promise<Fetched> {
  try {
    const response = await fetchBounded(url, {
      headers: { accept: "application/json", ...headers },
      timeoutMs,
      maxBytes: mostBytes,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) return { fault: `${url.host} answered ${response.status}${await whySo(response)}` };
    const body = await response.arrayBuffer();
    try {
      return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) };
    } catch {
      return { fault: `${url.host} answered something else than JSON` };
    }
  } catch (error) {
    if (error instanceof UnusableAnswerError) return { fault: error.message };
    if ((error as Error).name === "TimeoutError")
      return { fault: `${url.host} did not answer within ${timeoutMs / 1000} s` };
    return { fault: `${url.host} can't be asked: ${describeError(error)}` };
  }
}
