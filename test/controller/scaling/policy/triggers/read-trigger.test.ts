import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readAgentsTrigger } from "#controller/scaling/policy/triggers/read-agents-trigger.ts";
import { readTrigger } from "#controller/scaling/policy/triggers/read-trigger.ts";
import type {
  AgentsTrigger,
  HttpJsonTrigger,
  PrometheusTrigger,
} from "#controller/scaling/policy/triggers/trigger-source.ts";
import { aMinute } from "../../../../fakes/builders.ts";
import { type MetricServer, prometheusVector, startMetricServer } from "../../../../fakes/metric-server.ts";

const base = { target: 1, metricType: "average", activation: 0, headers: {}, timeoutS: 60 } as const;
let server: MetricServer;

beforeAll(() => {
  server = startMetricServer();
});
afterAll(() => server.stop());

const prometheus = (more: Partial<PrometheusTrigger> = {}): PrometheusTrigger => ({
  ...base,
  kind: "prometheus",
  name: "p",
  url: server.url,
  query: 'sum(rate(x{a="b+c"}[5m]))',
  ...more,
});
const json = (path: string, more: Partial<HttpJsonTrigger> = {}): HttpJsonTrigger => ({
  ...base,
  kind: "http-json",
  name: "j",
  url: `${server.url}/stats`,
  path,
  ...more,
});

describe("Prometheus", () => {
  test("is asked as its API wants it", async () => {
    server.respond = () => prometheusVector("12.5");
    const read = await readTrigger(
      prometheus({ url: `${server.url}/prom/`, bearerTokenEnv: "T", headers: { "x-org": "7" } }),
      {
        T: "secret",
      },
    );
    expect(read).toEqual({ value: 12.5 });
    const request = server.requests.at(-1)!;
    expect(new URL(request.url).pathname).toBe("/prom/api/v1/query");
    expect(new URL(request.url).searchParams.get("query")).toBe('sum(rate(x{a="b+c"}[5m]))');
    expect(request.headers.get("authorization")).toBe("Bearer secret");
    expect(request.headers.get("x-org")).toBe("7");
  });

  test("a scalar counts as well", async () => {
    server.respond = () => Response.json({ status: "success", data: { resultType: "scalar", result: [1, "3"] } });
    expect(await readTrigger(prometheus(), {})).toEqual({ value: 3 });
  });

  test.each([
    { $: "NaN", answer: () => prometheusVector("NaN"), says: "gave NaN" },
    { $: "infinite", answer: () => prometheusVector("+Inf"), says: "gave Infinity" },
    { $: "minus infinite", answer: () => prometheusVector("-Inf"), says: "gave -Infinity" },
    { $: "no series", answer: () => prometheusVector(), says: "no series" },
    { $: "several series", answer: () => prometheusVector("1", "2"), says: "one series, got 2" },
    {
      $: "a range",
      answer: () => Response.json({ status: "success", data: { resultType: "matrix", result: [] } }),
      says: '"matrix"',
    },
    {
      $: "a wrong query",
      answer: () => Response.json({ status: "error", error: "parse error at char 3" }, { status: 200 }),
      says: "parse error at char 3",
    },
    {
      $: "a wrong query as it says it",
      answer: () =>
        Response.json({ status: "error", errorType: "bad_data", error: "1:5: parse error" }, { status: 400 }),
      says: "answered 400: 1:5: parse error",
    },
    {
      $: "a refusal without end",
      answer: () => new Response("x".repeat(100_000), { status: 400 }),
      says: "answered 400",
    },
    { $: "down", answer: () => new Response("", { status: 503 }), says: "answered 503" },
    { $: "a login page", answer: () => new Response("<html>"), says: "did not answer with JSON" },
    { $: "nothing", answer: () => new Response(""), says: "did not answer with JSON" },
    { $: "another program", answer: () => Response.json([1]), says: "Prometheus said [1]" },
    { $: "an empty sample", answer: () => prometheusVector(""), says: "expected a sample" },
    {
      $: "a number where a text is due",
      answer: () => Response.json({ status: "success", data: { resultType: "scalar", result: [1, null] } }),
      says: "expected a sample",
    },
    { $: "far too much", answer: () => new Response("1".repeat(2_000_000)), says: "more than" },
  ])("$$ is a failure: $says", async ({ answer, says }) => {
    server.respond = answer;
    expect(await readTrigger(prometheus(), {})).toEqual({ fault: expect.stringContaining(says) });
  });

  test.each([
    ["an empty error", () => Response.json({ error: "" }, { status: 500 }), "answered 500"],
    ["an error that is no text", () => Response.json({ error: 5 }, { status: 500 }), "answered 500"],
    ["text in another encoding", () => new Response(new Uint8Array([0x22, 0xfc, 0x22])), "did not answer with JSON"],
  ])("%s adds nothing to what is said", async (_name, answer, says) => {
    server.respond = answer;
    expect(await readTrigger(prometheus(), {})).toEqual({ fault: `${new URL(server.url).host} ${says}` });
  });

  test("no series may count as an amount where the policy says so", async () => {
    server.respond = () => prometheusVector();
    expect(await readTrigger(prometheus({ emptyValue: 0 }), {})).toEqual({ value: 0 });
  });

  test("too slow: it is given up", async () => {
    const answer = Promise.withResolvers<Response>();
    server.respond = () => answer.promise;
    const read = await readTrigger(prometheus({ timeoutS: 0.05 }), {});
    answer.resolve(prometheusVector("1"));
    expect(read).toEqual({ fault: expect.stringContaining("did not answer within 0.05 s") });
  });

  test("an answer that begins and never ends is given up as well", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"status"'));
      },
    });
    server.respond = () => new Response(body);
    expect(await readTrigger(prometheus({ timeoutS: 0.1 }), {})).toEqual({
      fault: expect.stringContaining("within 0.1 s"),
    });
  });

  test("nobody there", async () => {
    const gone = startMetricServer();
    await gone.stop();
    expect(await readTrigger(prometheus({ url: gone.url }), {})).toEqual({
      fault: expect.stringContaining("can't be queried"),
    });
  });

  test("a token that is not there is said, and nothing is asked without it", async () => {
    const before = server.requests.length;
    expect(await readTrigger(prometheus({ bearerTokenEnv: "NOPE" }), {})).toEqual({
      fault: "the environment has no NOPE",
    });
    expect(server.requests.length).toBe(before);
  });
});

describe("JSON over HTTP", () => {
  test.each([
    { path: "depth", value: { value: 7 } },
    { path: "queues.1.depth", value: { value: 5 } },
    { path: "text", value: { value: 12.5 } },
    { path: "queues.0.depth", value: { fault: 'expected a number at queues.0.depth, got "many"' } },
    { path: "queues.9.depth", value: { fault: "expected a number at queues.9.depth, got an answer without 9" } },
    { path: "none", value: { fault: "expected a number at none, got null" } },
    { path: "hex", value: { fault: 'expected a number at hex, got "0x10"' } },
    { path: "empty", value: { fault: 'expected a number at empty, got ""' } },
    { path: "huge", value: { fault: "huge gave Infinity, which is not a finite number" } },
    { path: "queues", value: { fault: 'expected a number at queues, got [{"depth":"many"},{"depth":5}]' } },
    {
      path: "constructor.length",
      value: { fault: "expected a number at constructor.length, got an answer without constructor" },
    },
  ])("$path", async ({ path, value }) => {
    server.respond = () =>
      new Response(
        '{"depth":7,"text":" 12.5 ","none":null,"hex":"0x10","empty":"","huge":1e999,"queues":[{"depth":"many"},{"depth":5}]}',
      );
    expect(await readTrigger(json(path), {})).toEqual(value as { value: number });
  });
});

describe("the agents' data", () => {
  const trigger = (metric: string, aggregate: AgentsTrigger["aggregate"]): AgentsTrigger => ({
    ...{ kind: "agents", name: "a", target: 1, metricType: "average", activation: 0 },
    metric,
    aggregate,
  });
  const agents = [
    { agentId: "a", minute: aMinute({ requests: 600, queueDepth: 3 }) },
    { agentId: "b", minute: aMinute({ requests: 1200, queueDepth: 5 }) },
  ];
  test.each([
    { metric: "qps", aggregate: "sum", value: 30 },
    { metric: "qps", aggregate: "mean", value: 15 },
    { metric: "qps", aggregate: "max", value: 20 },
    { metric: "qps", aggregate: "min", value: 10 },
    { metric: "queueDepth", aggregate: "sum", value: 8 },
    { metric: "power.maxTemperatureC", aggregate: "max", value: 50 },
    { metric: "power.gpuUtilization", aggregate: "mean", value: 0.5 },
    { metric: "traffic.models.0.tokens", aggregate: "sum", value: 18_000 },
    { metric: "watts", aggregate: "sum", value: 60 },
  ] as const)("$aggregate of $metric", ({ metric, aggregate, value }) => {
    expect(readAgentsTrigger(trigger(metric, aggregate), agents)).toEqual({ value });
  });

  test("the queues together", () => {
    const queue = { kind: "queue-depth", name: "q", target: 1, metricType: "average", activation: 0 } as const;
    expect(readAgentsTrigger(queue, agents)).toEqual({ value: 8 });
  });

  test("an agent that says nothing makes a sum unknown, a maximum not", () => {
    const some = [...agents, { agentId: "c", minute: null }];
    expect(readAgentsTrigger(trigger("qps", "sum"), some)).toEqual({ fault: "qps is unknown for c" });
    expect(readAgentsTrigger(trigger("qps", "max"), some)).toEqual({ value: 20 });
    expect(readAgentsTrigger(trigger("qps", "max"), [])).toEqual({ fault: "no agent serves" });
    const powerless = [{ agentId: "d", minute: aMinute({ power: null }) }];
    expect(readAgentsTrigger(trigger("watts", "max"), powerless)).toEqual({ fault: "watts is unknown for d" });
  });
});
