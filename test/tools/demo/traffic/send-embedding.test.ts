import { describe, expect, test } from "bun:test";
import { Balancer } from "#tools/demo/traffic/balancer.ts";
import { type ApiShape, sendEmbedding, vectorOf } from "#tools/demo/traffic/send-embedding.ts";

const vector = [0.1, 0.2, 0.3];
const native = { embeddings: [vector] };
const openai = { data: [{ embedding: vector }] };

/** A scripted fleet: each agent answers with the entries of its script, the last one for ever. Time passes only by sleeping. */
function scripted(script: Record<string, (() => Response)[]>) {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  let nowMs = 0;
  const options = {
    deadlineMs: 1000,
    dimension: 3,
    nowMs: () => nowMs,
    sleep: async (durationMs: number) => {
      nowMs += durationMs;
    },
    fetch: async (url: string, init: RequestInit) => {
      const { host, pathname } = new URL(url);
      asked.push(`${host}${pathname}`);
      bodies.push(JSON.parse(String(init.body)));
      const answers = script[host]!;
      return (answers.length > 1 ? answers.shift()! : answers[0]!)();
    },
  };
  const balancer = new Balancer();
  balancer.update([
    { agentId: "a", url: "http://a", weight: 2 },
    { agentId: "b", url: "http://b", weight: 1 },
  ]);
  return { asked, bodies, options, balancer };
}

const json = (status: number, body: unknown) => () => Response.json(body, { status });
const standby = json(503, { error: "standby", code: "AGENT_STANDBY", peers: [{ agentId: "c", url: "http://c" }] });
const refusedConnection = () => {
  throw new Error("connection refused");
};

describe("sendEmbedding", () => {
  test("the native API", async () => {
    const { asked, bodies, options, balancer } = scripted({ a: [json(200, native)] });
    expect(await sendEmbedding(balancer, "native", "hello", options)).toEqual({
      ok: true,
      retries: 0,
      refusals: 0,
      latencyMs: 0,
      failure: "",
    });
    expect(asked).toEqual(["a/api/v1/embed"]);
    expect(bodies).toEqual([{ inputs: ["hello"] }]);
  });

  test("the OpenAI API", async () => {
    const { asked, options, balancer } = scripted({ a: [json(200, openai)] });
    expect((await sendEmbedding(balancer, "openai", "hello", options)).ok).toBe(true);
    expect(asked).toEqual(["a/v1/embeddings"]);
  });

  test.each([
    { name: "full", first: json(429, { code: "TOO_MANY_REQUESTS" }), refusals: 1 },
    { name: "shutting down", first: json(503, { code: "SHUTTING_DOWN" }), refusals: 0 },
    { name: "gone", first: refusedConnection, refusals: 0 },
    { name: "not answering JSON", first: () => new Response("<html>", { status: 502 }), refusals: 0 },
  ])("goes to another agent when one is $name", async ({ first, refusals }) => {
    const { asked, options, balancer } = scripted({ a: [first], b: [json(200, native)] });
    expect(await sendEmbedding(balancer, "native", "x", options)).toMatchObject({ ok: true, retries: 1, refusals });
    expect(asked).toEqual(["a/api/v1/embed", "b/api/v1/embed"]);
  });

  test("goes to the peers that a standby agent names", async () => {
    const { asked, options, balancer } = scripted({ a: [standby], b: [standby], c: [json(200, native)] });
    expect((await sendEmbedding(balancer, "native", "x", options)).ok).toBe(true);
    expect(asked.at(-1)).toBe("c/api/v1/embed");
  });

  test("waits for an agent that comes back", async () => {
    const { options, balancer } = scripted({ a: [refusedConnection, json(200, native)], b: [refusedConnection] });
    const result = await sendEmbedding(balancer, "native", "x", options);
    expect(result).toMatchObject({ ok: true });
    expect(result.latencyMs).toBeGreaterThanOrEqual(400);
  });

  test("fails at the deadline, with the last reason", async () => {
    const { options, balancer } = scripted({ a: [standby], b: [refusedConnection], c: [standby] });
    const result = await sendEmbedding(balancer, "native", "x", options);
    expect(result.ok).toBe(false);
    expect(result.latencyMs).toBeGreaterThanOrEqual(1000);
    expect(result.failure).toMatch(/AGENT_STANDBY|connection refused/);
    expect(result.retries).toBeGreaterThan(1);
  });

  test("fails at the deadline when there is no agent at all", async () => {
    const { options } = scripted({});
    expect(await sendEmbedding(new Balancer(), "native", "x", options)).toMatchObject({ ok: false, retries: 0 });
  });

  test.each([
    { name: "a short vector", answer: json(200, { embeddings: [[1, 2]] }), reason: "3 numbers" },
    { name: "a vector with null", answer: json(200, { embeddings: [[1, 2, null]] }), reason: "3 numbers" },
    { name: "no vector", answer: json(200, {}), reason: "3 numbers" },
    { name: "a request refused as wrong", answer: json(400, { code: "INVALID_REQUEST" }), reason: "INVALID_REQUEST" },
    { name: "an OpenAI error", answer: json(404, { error: { code: "MODEL_NOT_FOUND" } }), reason: "MODEL_NOT_FOUND" },
  ])("fails at once with $name", async ({ answer, reason }) => {
    const { asked, options, balancer } = scripted({ a: [answer], b: [answer] });
    const result = await sendEmbedding(balancer, "native", "x", options);
    expect(result.ok).toBe(false);
    expect(result.failure).toContain(reason);
    expect(asked).toHaveLength(1);
  });
});

test.each([
  { shape: "native" as ApiShape, body: native, expected: vector },
  { shape: "openai" as ApiShape, body: openai, expected: vector },
  { shape: "native" as ApiShape, body: openai, expected: null },
  { shape: "openai" as ApiShape, body: native, expected: null },
  { shape: "native" as ApiShape, body: null, expected: null },
  { shape: "openai" as ApiShape, body: { data: [] }, expected: null },
  { shape: "native" as ApiShape, body: { embeddings: "x" }, expected: null },
])("vectorOf $shape", ({ shape, body, expected }) => {
  expect(vectorOf(shape, body)).toEqual(expected);
});
