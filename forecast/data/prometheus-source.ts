import { type Static, Type } from "@sinclair/typebox";
import { cleanText } from "#platform/clean-text.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { explainFirstMistake } from "#platform/explain-schema-error.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { secondMs } from "#platform/time.ts";
import type { Trace } from "./parse-trace.ts";

export interface PrometheusRequest {
  /** Address of the server, with a path where it has one: http://prometheus:9090. */
  readonly url: string;
  /** PromQL that gives one series of a rate per second, like sum(rate(http_requests_total[1m])). */
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Value of the Authorization header; null: none. */
  readonly authorization: string | null;
  /** Limit of one request. */
  readonly timeoutMs: number;
  /** Attempts at each request. */
  readonly tries?: number;
  /** Delay before the second attempt; doubled for each further one. */
  readonly firstDelayMs?: number;
}

const Answer = Type.Object({
  status: Type.String(),
  errorType: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  warnings: Type.Optional(Type.Array(Type.String())),
  isPartial: Type.Optional(Type.Boolean()),
  data: Type.Optional(
    Type.Object({
      resultType: Type.String(),
      result: Type.Array(
        Type.Object({
          metric: Type.Record(Type.String(), Type.String()),
          values: Type.Optional(Type.Array(Type.Tuple([Type.Number(), Type.String()]))),
        }),
      ),
    }),
  ),
});
type Answer = Static<typeof Answer>;

/** Prometheus refuses more than 11,000 points a series and request. */
const maxPoints = 10_000;
const minPoints = 100;
/** A series of 10,000 points has 300 kB; a query without a sum may return a series a device. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** A request that is too large for the server. */
class TooMuchError extends Error {}
/** A failure that may pass. */
class PassingError extends Error {}

function readAnswer(text: string, contentType: string | null): Answer {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    const got = JSON.stringify(text.slice(0, 60));
    throw new Error(`expected JSON from Prometheus, got ${contentType ?? "content without a type"}: ${got}`);
  }
  const mistake = explainFirstMistake(Answer, content);
  if (mistake !== null) throw new Error(`the answer is not from Prometheus: ${mistake}`);
  return content as Answer;
}

function throwFor(status: number, answer: Answer | null, text: string): never {
  const said = cleanText((answer?.error ?? text.slice(0, 120)).trim(), 500);
  const message = `${status}${said === "" ? "" : `: ${said}`}`;
  if (/maximum resolution|too many (samples|points)|exceeds? the (maximum|limit)/i.test(said))
    throw new TooMuchError(message);
  if (status === 401 || status === 403) throw new Error(`${message} (needs a token or user with read access)`);
  if (status === 429 || status >= 500) throw new PassingError(message);
  throw new Error(message);
}

async function ask(request: PrometheusRequest, startMs: number, endMs: number): Promise<Answer> {
  const url = new URL(`${request.url.replace(/\/+$/, "")}/api/v1/query_range`);
  url.search = new URLSearchParams({
    query: request.query,
    start: String(startMs / 1000),
    end: String(endMs / 1000),
    step: String(request.stepMs / 1000),
  }).toString();
  const headers: Record<string, string> = { accept: "application/json" };
  if (request.authorization !== null) headers["authorization"] = request.authorization;
  let response: Response;
  let text: string;
  try {
    response = await fetchBounded(url, { headers, timeoutMs: request.timeoutMs, maxBytes: maxAnswerBytes });
    text = await response.text();
  } catch (cause) {
    const slow = (cause as Error).name === "TimeoutError";
    throw new PassingError(slow ? `no answer within ${request.timeoutMs} ms` : describeError(cause), { cause });
  }
  const contentType = response.headers.get("content-type");
  let answer: Answer | null = null;
  try {
    answer = readAnswer(text, contentType);
  } catch (error) {
    if (response.ok) throw error;
  }
  if (!response.ok || answer?.status !== "success") throwFor(response.status, answer, text);
  return answer;
}

async function askWithRetries(request: PrometheusRequest, startMs: number, endMs: number): Promise<Answer> {
  const tries = request.tries ?? 4;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(request, startMs, endMs);
    } catch (error) {
      if (!(error instanceof PassingError) || attempt >= tries) throw error;
      await Bun.sleep((request.firstDelayMs ?? 500) * 2 ** (attempt - 1));
    }
  }
}

function seriesOf(answer: Answer): readonly (readonly [number, string])[] {
  const { resultType, result } = answer.data ?? { resultType: "nothing", result: [] };
  if (resultType !== "matrix") throw new Error(`expected a matrix, got ${resultType}`);
  if (result.length > 1) {
    const names = result.slice(0, 2).map(({ metric }) => JSON.stringify(metric));
    throw new UsageError(
      `the query gives ${result.length} series (${names.join(", ")}, …): expected one, for example with sum(…)`,
    );
  }
  return result[0]?.values ?? [];
}

/**
 * Reads a rate from Prometheus (or a compatible server: Thanos, Mimir, VictoriaMetrics) in pieces, as it returns at most 11,000 points at
 * once; pieces get smaller where the server's limit is lower. Missing points, and values that are not a rate, are gaps.
 * @returns also the distinct warnings of the server, e.g. that the data are partial
 * @throws UsageError with the server's answer when it refuses, or is not Prometheus.
 * @throws Error when the server is down, too slow or in trouble: the same request may succeed later.
 */
export async function readPrometheus(request: PrometheusRequest, onChunk?: (shareDone: number) => void) {
  const { stepMs } = request;
  const startMs = Math.ceil(request.startMs / stepMs) * stepMs;
  const steps = Math.floor((request.endMs - startMs) / stepMs) + 1;
  if (!(steps >= 1)) throw new UsageError("the range is empty: expected an end after its start");
  const counts = new Array<number | null>(steps).fill(null);
  const warnings = new Set<string>();
  let points = maxPoints;
  let requests = 0;
  let next = 0;
  while (next < steps) {
    const length = Math.min(points, steps - next);
    let newest = -1;
    const fromMs = startMs + next * stepMs;
    try {
      requests += 1;
      const answer = await askWithRetries(request, fromMs, fromMs + (length - 1) * stepMs);
      for (const warning of answer.warnings ?? []) warnings.add(cleanText(warning, 500));
      if (answer.isPartial === true) warnings.add("the answer is partial");
      for (const [timeS, text] of seriesOf(answer)) {
        const index = Math.round((timeS * secondMs - startMs) / stepMs);
        const perSecond = Number(text);
        const usable = text !== "" && Number.isFinite(perSecond) && perSecond >= 0;
        newest = Math.max(newest, index);
        if (index >= 0 && index < steps) counts[index] = usable ? perSecond * (stepMs / 1000) : null;
      }
    } catch (error) {
      if (error instanceof TooMuchError && length > minPoints) {
        points = Math.max(minPoints, Math.floor(length / 2));
        continue;
      }
      if (error instanceof UsageError) throw error;
      const message = `Prometheus at ${redactUrl(request.url)}: ${describeError(error)}`;
      throw error instanceof PassingError
        ? new Error(message, { cause: error })
        : new UsageError(message, { cause: error });
    }
    // Some servers cut an answer short at their limit without saying so: points missing at the end are requested once more.
    const isCutShort = newest >= next && newest < next + length - 1;
    next = isCutShort ? newest + 1 : next + length;
    onChunk?.(next / steps);
  }
  if (counts.every((count) => count === null)) {
    throw new UsageError(
      `Prometheus at ${redactUrl(request.url)} has nothing for this query in this range: ${request.query}`,
    );
  }
  const trace: Trace = { name: `Prometheus: ${request.query}`, stepMs, startMs, counts };
  return { trace, warnings: [...warnings], requests };
}
