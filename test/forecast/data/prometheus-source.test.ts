import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type PrometheusRequest, readPrometheus } from "#forecast/data/prometheus-source.ts";

const stepMs = 60_000;
const startMs = Date.UTC(2026, 0, 5);
type Answer = (url: URL, request: Request) => Response | Promise<Response>;

/** Answers /api/v1/query_range as Prometheus does: its shapes, its limit of 11,000 points. */
let server: ReturnType<typeof Bun.serve>;
let override: Answer | null = null;
const asked: { from: number; to: number; authorization: string | null; query: string | null }[] = [];

function matrix(values: readonly (readonly [number, string])[], more: object = {}): Response {
  const result = values.length === 0 ? [] : [{ metric: {}, values }];
  return Response.json({ status: "success", data: { resultType: "matrix", result }, ...more });
}
function rangeOf(url: URL) {
  const [from, to, step] = ["start", "end", "step"].map((name) => Number(url.searchParams.get(name))) as [
    number,
    number,
    number,
  ];
  return { from, to, step, points: Math.floor((to - from) / step) + 1 };
}
/** At each time the rate is the minute's number since the start. */
function valuesOf(url: URL): [number, string][] {
  const { from, step, points } = rangeOf(url);
  return Array.from({ length: points }, (_, index) => {
    const timeS = from + index * step;
    return [timeS, String((timeS * 1000 - startMs) / stepMs)];
  });
}
const refuse = (status: number, errorType: string, error: string) =>
  Response.json({ status: "error", errorType, error }, { status });

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname !== "/prom/api/v1/query_range") return new Response("404 page not found\n", { status: 404 });
      const { from, to, points } = rangeOf(url);
      asked.push({
        from,
        to,
        authorization: request.headers.get("authorization"),
        query: url.searchParams.get("query"),
      });
      if (override !== null) return await override(url, request);
      if (points > 11_000) {
        return refuse(
          400,
          "bad_data",
          "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        );
      }
      return matrix(valuesOf(url));
    },
  });
});
afterEach(() => {
  override = null;
  asked.length = 0;
});
afterAll(() => server.stop(true));

const read = (minutes: number, change: Partial<PrometheusRequest> = {}) =>
  readPrometheus({
    url: `http://127.0.0.1:${server.port}/prom/`,
    query: "sum(rate(requests_total[1m]))",
    startMs,
    endMs: startMs + (minutes - 1) * stepMs,
    stepMs,
    authorization: null,
    timeoutMs: 60_000,
    tries: 2,
    firstDelayMs: 1,
    ...change,
  });

describe("reading from Prometheus", () => {
  test("a month comes in pieces that it takes, without a point twice or missing", async () => {
    const minutes = 30 * 24 * 60;
    const { trace, requests, warnings } = await read(minutes);
    expect(requests).toBe(5);
    expect(warnings).toEqual([]);
    expect(trace).toMatchObject({ stepMs, startMs });
    // a rate of n a second is 60 n a minute
    expect(trace.counts).toEqual(Array.from({ length: minutes }, (_, minute) => minute * 60));
    for (const [index, { from }] of asked.entries()) if (index > 0) expect(from).toBe(asked[index - 1]!.to + 60);
  });

  test("a server that takes less gets smaller pieces", async () => {
    override = (url) =>
      rangeOf(url).points > 700
        ? refuse(422, "execution", "query processing would load too many samples into memory")
        : matrix(valuesOf(url));
    const { trace } = await read(3_000);
    expect(trace.counts).toEqual(Array.from({ length: 3_000 }, (_, minute) => minute * 60));
  });

  test("a server that takes not even the smallest pieces is refused, and asked no more", async () => {
    override = () => refuse(422, "execution", "query processing would load too many samples into memory");
    await expect(read(1_600)).rejects.toThrow("too many samples");
    expect(asked.map(({ from, to }) => (to - from) / 60 + 1)).toEqual([1_600, 800, 400, 200, 100]);
  });

  test("a server that gives a page of what was asked for, and does not say so, is asked for the rest; what it does not have is a gap", async () => {
    const known = (url: URL) => valuesOf(url).filter(([, minute]) => Number(minute) < 2_590);
    override = (url) => matrix(known(url).slice(0, 1_000));
    const { trace } = await read(2_600);
    const expected = Array.from({ length: 2_600 }, (_, minute) => (minute < 2_590 ? minute * 60 : null));
    expect(trace.counts).toEqual(expected);
    expect(asked).toHaveLength(4); // three pages, and once more for the end
  });

  test("sends the configured authorization", async () => {
    await read(10, { authorization: "Bearer abc" });
    expect(asked).toMatchObject([{ authorization: "Bearer abc", query: "sum(rate(requests_total[1m]))" }]);
  });

  test("what is missing or is no rate is a gap; that data are partial is passed on", async () => {
    override = (url) => {
      const values = valuesOf(url).filter((_, index) => index !== 3);
      values[0] = [values[0]![0], "NaN"];
      values[1] = [values[1]![0], "+Inf"];
      values[2] = [values[2]![0], "-4"];
      return matrix(values, { warnings: ["PromQL warning: a store was away"], isPartial: true });
    };
    const { trace, warnings } = await read(6);
    expect(trace.counts).toEqual([null, null, null, null, 240, 300]);
    expect(warnings).toEqual(["PromQL warning: a store was away", "the answer is partial"]);
  });

  test("one that fails once is asked again", async () => {
    override = (url) =>
      asked.length === 1 ? new Response("upstream is away", { status: 503 }) : matrix(valuesOf(url));
    expect((await read(5)).trace.counts).toEqual([0, 60, 120, 180, 240]);
    expect(asked).toHaveLength(2);
  });

  test("an uneven start begins with the next whole minute", async () => {
    const { trace } = await read(5, { startMs: startMs + 1 });
    expect(trace.startMs).toBe(startMs + stepMs);
    expect(trace.counts).toEqual([60, 120, 180, 240]);
  });

  test.each<{ name: string; answer: Answer; says: string; requests: number }>([
    { name: "is overloaded", answer: () => new Response("", { status: 503 }), says: "503", requests: 2 },
    {
      name: "wants a key",
      answer: () => new Response("Unauthorized", { status: 401 }),
      says: "401: Unauthorized (needs a token or user",
      requests: 1,
    },
    {
      name: "does not understand the query",
      answer: () => refuse(400, "bad_data", 'invalid parameter "query": 1:5: parse error: unexpected identifier'),
      says: "parse error: unexpected identifier",
      requests: 1,
    },
    {
      name: "is something else",
      answer: () => new Response("<html>Grafana</html>", { headers: { "content-type": "text/html" } }),
      says: 'expected JSON from Prometheus, got text/html: "<html>Grafana</html>"',
      requests: 1,
    },
    {
      name: "answers with other JSON",
      answer: () => Response.json({ ok: 1 }),
      says: "the answer is not from Prometheus: status: expected string, got nothing",
      requests: 1,
    },
    {
      name: "gives an instant vector",
      answer: () => Response.json({ status: "success", data: { resultType: "vector", result: [] } }),
      says: "expected a matrix, got vector",
      requests: 1,
    },
    {
      name: "gives several series",
      answer: () => {
        const values = [[startMs / 1000, "1"]];
        const result = [
          { metric: { pod: "a" }, values },
          { metric: { pod: "b" }, values },
        ];
        return Response.json({ status: "success", data: { resultType: "matrix", result } });
      },
      says: 'gives 2 series ({"pod":"a"}, {"pod":"b"}, …): expected one, for example with sum(…)',
      requests: 1,
    },
    { name: "has nothing", answer: () => matrix([]), says: "has nothing for this query", requests: 1 },
    {
      name: "takes not even a little",
      answer: () => refuse(400, "bad_data", "exceeded maximum resolution"),
      says: "exceeded maximum resolution",
      requests: 1,
    },
  ])("one that $name is named", async ({ answer, says, requests }) => {
    override = answer;
    const reading = read(10);
    await expect(reading).rejects.toThrow(says);
    expect(asked).toHaveLength(requests);
  });

  test("one that does not answer in time, or is not there, is named", async () => {
    const released = Promise.withResolvers<void>();
    // A new answer each time: asked again, the same would not do.
    override = () => released.promise.then(() => new Response(""));
    await expect(read(10, { timeoutMs: 30 })).rejects.toThrow("no answer within 30 ms");
    released.resolve();
    const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
    const url = `http://127.0.0.1:${gone.port}`;
    await gone.stop(true);
    await expect(read(10, { url })).rejects.toThrow(`Prometheus at ${url}: `);
    await expect(read(0)).rejects.toThrow("the range is empty");
  });
});
