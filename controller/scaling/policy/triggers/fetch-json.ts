import { describeError } from "#platform/errors.ts";
import { fetchBounded, UnusableAnswerError } from "#platform/fetch/fetch-bounded.ts";

/** Result of a request: a JSON value, or why there is none. */
export type Fetched = { readonly json: unknown } | { readonly fault: string };

export interface FetchJsonOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Most bytes of an answer: it holds one number. */
const maxBytes = 1024 * 1024;

const maxErrorText = 200;

/** Returns the error in an answer, as Prometheus writes it for a query it can't read; empty when there is none. */
async function errorIn(response: Response): Promise<string> {
  try {
    const { error } = Object(await response.json());
    return typeof error === "string" && error !== "" ? `: ${error.slice(0, maxErrorText)}` : "";
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
      maxBytes: maxBytes,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) return { fault: `${url.host} answered ${response.status}${await errorIn(response)}` };
    const body = await response.arrayBuffer();
    try {
      return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) };
    } catch {
      return { fault: `${url.host} did not answer with JSON` };
    }
  } catch (error) {
    if (error instanceof UnusableAnswerError) return { fault: error.message };
    if ((error as Error).name === "TimeoutError")
      return { fault: `${url.host} did not answer within ${timeoutMs / 1000} s` };
    return { fault: `${url.host} can't be asked: ${describeError(error)}` };
  }
}
