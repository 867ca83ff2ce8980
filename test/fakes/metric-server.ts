/** Source of metrics with scripted answers. Counts requests and keeps the newest. */
export interface MetricServer {
  readonly url: string;
  respond: (request: Request) => Response | Promise<Response>;
  readonly requests: { readonly url: string; readonly headers: Headers; readonly body: string }[];
  stop(): Promise<void>;
}

export function startMetricServer(): MetricServer {
  const requests: MetricServer["requests"][number][] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      requests.push({ url: request.url, headers: new Headers(request.headers), body: await request.clone().text() });
      return fake.respond(request);
    },
  });
  const fake: MetricServer = {
    url: `http://127.0.0.1:${server.port}`,
    respond: () => new Response("not set up", { status: 500 }),
    requests,
    stop: () => server.stop(true),
  };
  return fake;
}

/** Answer of Prometheus' query API for a vector; values are strings, as Prometheus writes them. */
export function prometheusVector(...values: readonly string[]): Response {
  const result = values.map((value, index) => ({
    metric: { instance: `i${index}` },
    value: [1_768_392_000.123, value],
  }));
  return Response.json({ status: "success", data: { resultType: "vector", result } });
}
