import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Writable } from "node:stream";
import pino from "pino";
import { createTracing } from "#agent/serving/tracing/request-tracer.ts";
import type { Tracing } from "#agent/serving/tracing/tracing.ts";
import { TracingConfig } from "#agent/serving/tracing/tracing-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { cpuMsOf } from "../../../fakes/cpu-time.ts";
import { freePort } from "../../../fakes/free-port.ts";
import { slowdown } from "../../../fakes/machine-speed.ts";
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from "../../../fakes/otlp-collector.ts";
import { startGrpcClient } from "../grpc/start-client.ts";
import { type TestServing, testServing } from "../start-serving.ts";

const service = { version: "1.2.3", agentId: "thor-1", fleet: "hall" };

function open(config: Partial<TracingConfig>, log = createLogger("test", "silent")): Tracing {
  const tracing = createTracing(
    parseConfig(TracingConfig, { exportPeriodMs: 20, ...config }, "the test"),
    service,
    log,
  );
  if (tracing === undefined) throw new Error("tracing is off");
  return tracing;
}

const arriving = (headers: Record<string, string> = {}) => ({
  name: "POST /x",
  attributes: {},
  header: (name: string) => headers[name],
});
const done = { failed: false, attributes: {} };

/** Records the lines that are logged. */
function recordingLog() {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, next) {
      lines.push(JSON.parse(chunk));
      next();
    },
  });
  return { lines, log: pino({ level: "info" }, stream) };
}

describe("requests that are traced", () => {
  let collector: OtlpCollector;
  let server: TestServing;
  let tracing: Tracing;
  beforeAll(async () => {
    collector = startOtlpCollector();
    tracing = open({ otlpUrl: `${collector.url}/`, headers: { "x-key": "k" }, attributes: { site: "a" } });
    server = testServing({ grpc: { enabled: true, host: null, port: 0 } }, { tracing });
    await server.serving.start();
  });
  afterAll(async () => {
    await server.serving.stop();
    await tracing.stop();
    await collector.stop();
  });

  /** The spans of a trace, once its server span has come. */
  const spansOf = async (traceId: string): Promise<CollectedSpan[]> => {
    for (;;) {
      const spans = collector.spans.filter((span) => span.traceId === traceId);
      if (spans.some(({ kind }) => kind === 2)) return spans;
      await Bun.sleep(20);
    }
  };
  const traceIdOf = (headers: Headers) => headers.get("traceresponse")?.split("-")[1] as string;
  const embed = (inputs: string[], headers: Record<string, string> = {}, path = "/api/v1/embed") =>
    fetch(server.serving.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(path === "/v1/embeddings" ? { input: inputs } : { inputs }),
    });
  const expectInOrder = (spans: readonly CollectedSpan[], names: readonly string[]) => {
    const root = spans.find(({ kind }) => kind === 2)!;
    const stages = names.map((name) => spans.find((span) => span.name === name)!);
    let reachedMs = root.startMs;
    for (const stage of stages) {
      expect(stage.parentSpanId).toBe(root.spanId);
      expect(stage.kind).toBe(1);
      expect(stage.startMs).toBeGreaterThanOrEqual(reachedMs - 0.002);
      expect(stage.endMs).toBeGreaterThanOrEqual(stage.startMs);
      reachedMs = stage.startMs;
    }
    expect(Math.max(...stages.map(({ endMs }) => endMs))).toBeLessThanOrEqual(root.endMs + 0.002);
    expect(spans.length).toBe(names.length + 1);
    return { root, stages };
  };
  const stages = ["admission", "tokenise", "queue", "infer", "respond"];

  test("a server span with a span for each stage, in order, within a client's trace", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const startedMs = Date.now();
    const response = await embed(["traced once", "traced twice"], {
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      tracestate: "vendor=1,other=2",
      "user-agent": "robot/1",
    });
    const answeredMs = Date.now();
    const { root, stages: found } = expectInOrder(await spansOf(traceId), stages);
    expect(root).toMatchObject({
      name: "POST /api/v1/embed",
      parentSpanId: "00f067aa0ba902b7",
      traceState: "vendor=1,other=2",
      status: 0,
      attributes: {
        "http.request.method": "POST",
        "http.route": "/api/v1/embed",
        "url.path": "/api/v1/embed",
        "user_agent.original": "robot/1",
        "http.response.status_code": "200",
        "gen_ai.operation.name": "embeddings",
        "gen_ai.response.model": "all-MiniLM-L6-v2",
        "thormesh.texts": "2",
      },
      resource: {
        "service.name": "thormesh-agent",
        "service.version": "1.2.3",
        "service.instance.id": "thor-1",
        "service.namespace": "hall",
        site: "a",
      },
    });
    expect(response.headers.get("traceresponse")).toBe(`00-${traceId}-${root.spanId}-01`);
    expect(root.startMs).toBeGreaterThanOrEqual(startedMs - 2);
    expect(root.endMs).toBeLessThanOrEqual(answeredMs + 2);
    const [admission, , , infer] = found;
    expect(admission?.attributes["thormesh.cached_texts"]).toBe("0");
    expect(infer?.attributes["thormesh.compute_ms"]).toBeGreaterThan(0);
    const inferMs = (infer?.endMs ?? 0) - (infer?.startMs ?? 0);
    expect(inferMs).toBeGreaterThan(Number(infer?.attributes["thormesh.compute_ms"]) - 0.5);
    expect(collector.exports[0]?.path).toBe("/v1/traces");
    expect(collector.exports[0]?.headers.get("x-key")).toBe("k");
  });

  test("what comes from the cache is neither tokenised nor computed; OpenAI's route is traced the same", async () => {
    await embed(["known"]);
    const response = await embed(["known"], {}, "/v1/embeddings");
    const { root, stages: found } = expectInOrder(await spansOf(traceIdOf(response.headers)), ["admission", "respond"]);
    expect(root.name).toBe("POST /v1/embeddings");
    expect(root.parentSpanId).toBe("");
    expect(found[0]?.attributes["thormesh.cached_texts"]).toBe("1");
  });

  test("requests at the same time keep to their own traces", async () => {
    const responses = await Promise.all(Array.from({ length: 12 }, (_, i) => embed([`at the same time ${i}`])));
    const traceIds = responses.map(({ headers }) => traceIdOf(headers));
    expect(new Set(traceIds).size).toBe(12);
    for (const traceId of traceIds) expectInOrder(await spansOf(traceId), stages);
  });

  test.each([
    { name: "an invalid one", path: "/api/v1/embed", body: { inputs: [] }, status: 400, span: "POST /api/v1/embed" },
    {
      name: "a model that is not there",
      path: "/api/v1/embed",
      body: { inputs: ["a"], model: "x" },
      status: 404,
      span: "POST /api/v1/embed",
      type: "MODEL_NOT_FOUND",
    },
    { name: "a path that is not there", path: "/some/where", body: {}, status: 404, span: "POST" },
  ])("refused: $name", async ({ path, body, status, span, type }) => {
    const { headers } = await fetch(server.serving.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const [root, ...others] = await spansOf(traceIdOf(headers));
    expect(others).toEqual([]);
    expect(root).toMatchObject({ name: span, status: 0 });
    expect(root?.attributes["http.response.status_code"]).toBe(String(status));
    expect(root?.attributes["error.type"]).toBe(type as string);
  });

  test("while not active: the span is marked as failed", async () => {
    server.role.role = "standby";
    try {
      const { headers } = await embed(["a"]);
      const [root] = await spansOf(traceIdOf(headers));
      expect(root).toMatchObject({ status: 2, attributes: { "error.type": "AGENT_STANDBY" } });
    } finally {
      server.role.role = "active";
    }
  });

  test("probes and scrapers are not traced", async () => {
    const { headers } = await fetch(`${server.serving.url}/health`);
    expect(headers.get("traceresponse")).toBeNull();
  });

  test("gRPC calls are traced the same", async () => {
    const client = startGrpcClient(server.serving.grpcAddress as string);
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const metadata = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: "a=b" };
    await client.answer("Embed", { inputs: ["over gRPC"] }, { metadata });
    const { root } = expectInOrder(await spansOf(traceId), stages);
    expect(root).toMatchObject({
      name: "akidb.embedding.v1.EmbeddingService/Embed",
      parentSpanId: "b7ad6b7169203331",
      traceState: "a=b",
      attributes: {
        "rpc.system": "grpc",
        "rpc.service": "akidb.embedding.v1.EmbeddingService",
        "rpc.method": "Embed",
        "rpc.grpc.status_code": "0",
      },
    });
    const failing = "0af7651916cd43dd8448eb211c80319d";
    await client.failure("Embed", {}, { metadata: { traceparent: `00-${failing}-b7ad6b7169203331-01` } });
    expect((await spansOf(failing))[0]).toMatchObject({ status: 0, attributes: { "rpc.grpc.status_code": "3" } });
    await client.stop();
  });
});

describe("sampling", () => {
  const sampled = "01";
  const parent = (flags: string) => ({ traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}` });
  test.each([
    { name: "every request", sampleRatio: 1, headers: {}, flags: sampled },
    { name: "no request", sampleRatio: 0, headers: {}, flags: "00" },
    { name: "what the client samples, whatever the ratio", sampleRatio: 0, headers: parent("01"), flags: sampled },
    { name: "not what the client does not sample", sampleRatio: 1, headers: parent("00"), flags: "00" },
    {
      name: "a malformed parent is no parent",
      sampleRatio: 1,
      headers: { traceparent: "00-xyz-1-01" },
      flags: sampled,
    },
  ])("$name", async ({ sampleRatio, headers, flags }) => {
    const collector = startOtlpCollector();
    const tracing = open({ otlpUrl: collector.url, sampleRatio });
    const trace = tracing.begin(arriving(headers));
    trace.stage("admission", 0, 1);
    trace.end(done);
    expect(trace.traceparent).toMatch(new RegExp(`^00-${trace.traceId}-${trace.spanId}-${flags}$`));
    await tracing.stop();
    expect(collector.spans.length).toBe(flags === sampled ? 2 : 0);
    await collector.stop();
  });
});

describe("a collector that is away", () => {
  test("costs requests nothing, is said once, and is said again when it is back", async () => {
    const { lines, log } = recordingLog();
    const said = (text: string) => lines.filter(({ msg }) => String(msg).includes(text));
    const port = await freePort();
    const tracing = open({ otlpUrl: `http://127.0.0.1:${port}/v1/traces` }, log);
    const request = () => tracing.begin(arriving()).end(done);
    for (let i = 0; i < 600; i += 1) request();
    while (said("traces can't be sent").length === 0) await Bun.sleep(20);
    // Far more than are kept: they are dropped.
    expect(
      cpuMsOf(() => {
        for (let i = 0; i < 20_000; i += 1) request();
      }),
    ).toBeLessThan(4_000);
    const collector = startOtlpCollector(port);
    while (said("traces are sent again").length === 0) {
      request();
      await Bun.sleep(20);
    }
    expect(said("traces can't be sent").length).toBe(1);
    expect(said("traces are sent again")[0]?.["lostRequests"]).toBeGreaterThan(0);
    await tracing.stop();
    expect(collector.spans.length).toBeLessThan(20_000);
    await collector.stop();
  });

  test("does not hold up a stop", async () => {
    const tracing = open({ otlpUrl: `http://127.0.0.1:${await freePort()}` });
    tracing.begin(arriving()).end(done);
    const startedMs = performance.now();
    await tracing.stop();
    expect(performance.now() - startedMs).toBeLessThan(4_000 * slowdown());
  });

  test("one that refuses is said with its answer", async () => {
    const { lines, log } = recordingLog();
    const collector = startOtlpCollector();
    collector.status = 401;
    const tracing = open({ otlpUrl: collector.url }, log);
    tracing.begin(arriving()).end(done);
    await tracing.stop();
    expect(lines.filter(({ msg }) => String(msg).includes("can't be sent")).length).toBe(1);
    await collector.stop();
  });
});

test("off: nothing is opened", async () => {
  expect(
    createTracing(parseConfig(TracingConfig, {}, "the test"), service, createLogger("t", "silent")),
  ).toBeUndefined();
  expect(currentTrace()).toBeUndefined();
});

test("what is logged for a traced request names its trace", async () => {
  const program = `
    import { createLogger } from "#platform/log.ts";
    import { withTrace } from "#platform/request-trace.ts";
    const log = createLogger("test", "info");
    const trace = { traceId: "t".repeat(32), spanId: "s".repeat(16), stage() {}, annotate() {}, answered() {} };
    log.info("before");
    await withTrace(trace, async () => { await Bun.sleep(1); log.info("within"); });
    log.info("after");`;
  const child = Bun.spawn([process.execPath, "-e", program], { cwd: `${import.meta.dir}/../../../..`, stderr: "pipe" });
  const lines = (await new Response(child.stderr).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ msg, trace_id, span_id }) => ({ msg, trace_id, span_id }))).toEqual([
    { msg: "before" },
    { msg: "within", trace_id: "t".repeat(32), span_id: "s".repeat(16) },
    { msg: "after" },
  ] as never);
});
