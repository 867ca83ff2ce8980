import { describeError } from "#platform/errors.ts";
import { fetchBounded, UnusableAnswerError } from "#platform/fetch/fetch-bounded.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { secondMs } from "#platform/time.ts";
import type { HttpJsonTrigger, PrometheusTrigger } from "./trigger-source.ts";

/** Value of a source: a finite amount, or why there is none. */
export type Reading = { readonly value: number } | { readonly fault: string };

const amount = (value: number, what: string): Reading =>
  Number.isFinite(value) ? { value } : { fault: `${what} gave ${value}, which is not a finite number` };

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Reads one value from an answer of Prometheus' query API: a scalar, or a vector of one series. */
function parsePrometheusAnswer(json: unknown, emptyValue: number | undefined): Reading {
  const answer = Object(json);
  if (answer.status !== "success") {
    return { fault: `Prometheus said ${answer.error === undefined ? show(json) : show(answer.error)}` };
  }
  const { resultType, result } = Object(answer.data);
  const valueOfSample = (sample: unknown): Reading => {
    const text: unknown = Array.isArray(sample) ? sample[1] : undefined;
    // Prometheus writes values as texts, "NaN" and "+Inf" included; an empty one would be read as zero.
    if (typeof text !== "string" || text.trim() === "") return { fault: `expected a sample, got ${show(sample)}` };
    return amount(Number(text.replace(/^([+-]?)Inf$/, "$1Infinity")), "the query");
  };
  if (resultType === "scalar") return valueOfSample(result);
  if (resultType !== "vector" || !Array.isArray(result)) {
    return { fault: `expected a query that gives a vector or a scalar, got ${show(resultType)}` };
  }
  if (result.length === 0) {
    return emptyValue === undefined ? { fault: "the query gave no series" } : { value: emptyValue };
  }
  if (result.length > 1) return { fault: `expected a query that gives one series, got ${result.length}: sum() them` };
  return valueOfSample(Object(result[0]).value);
}

/** Reads the number at a path of keys and places, e.g. `queues.0.depth`; a number written as text counts too. */
function numberAtPath(json: unknown, path: string): Reading {
  let value = json;
  for (const key of path.split(".")) {
    const inside = typeof value === "object" && value !== null && Object.hasOwn(value, key);
    if (!inside) return { fault: `expected a number at ${path}, got an answer without ${key}` };
    value = Reflect.get(value as object, key);
  }
  if (typeof value === "number") return amount(value, path);
  const isText = typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value);
  return isText ? amount(Number(value), path) : { fault: `expected a number at ${path}, got ${show(value)}` };
}

/** Result of a request: a JSON value, or why there is none. */
type Fetched = { readonly json: unknown } | { readonly fault: string };

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
async function fetchJson(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Fetched> {
  try {
    const response = await fetchBounded(url, {
      headers: { accept: "application/json", ...headers },
      timeoutMs,
      maxBytes,
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
    return { fault: `${url.host} can't be queried: ${describeError(error)}` };
  }
}

/** Reads an external source. Never rejects. */
export async function readTrigger(
  trigger: PrometheusTrigger | HttpJsonTrigger,
  environment: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): Promise<Reading> {
  const headers: Record<string, string> = { ...trigger.headers };
  if (trigger.bearerTokenEnv !== undefined) {
    let token: string | undefined;
    try {
      token = secretFromEnvironment(environment, trigger.bearerTokenEnv);
    } catch (error) {
      return { fault: describeError(error) };
    }
    if (token === undefined) return { fault: `the environment has no ${trigger.bearerTokenEnv}` };
    headers["authorization"] = `Bearer ${token}`;
  }
  const timeoutMs = trigger.timeoutS * secondMs;
  if (trigger.kind === "prometheus") {
    const url = new URL(`${trigger.url.replace(/\/+$/, "")}/api/v1/query`);
    url.searchParams.set("query", trigger.query);
    const answer = await fetchJson(url, headers, timeoutMs, signal);
    return "fault" in answer ? answer : parsePrometheusAnswer(answer.json, trigger.emptyValue);
  }
  const answer = await fetchJson(new URL(trigger.url), headers, timeoutMs, signal);
  return "fault" in answer ? answer : numberAtPath(answer.json, trigger.path);
}
