import { describe, expect, test } from "bun:test";
import { type ApiShape, sendEmbedding, vectorOf } from "#tools/demo/traffic/send-embedding.ts";

const vector = [0.1, 0.2, 0.3];
const native = { embeddings: [vector] };
const openai = { data: [{ embedding: vector }] };

/** A scripted address: it answers with the entries of its script, the last one for ever. Time passes only by sleeping. */
function scripted(...answers: (() => Response)[]) {
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
      asked.push(url);
      bodies.push(JSON.parse(String(init.body)));
      return (answers.length > 1 ? answers.shift() : answers[0])?.() as Response;
    },
  };
  return { asked, bodies, options };
}

const client = { url: "http://entry", shape: "native" } as const;
const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  () =>
    Response.json(body, { status, headers });
const refusedConnection = () => {
  throw new Error("connection refused");
};

describe("sendEmbedding", () => {
  test("the native API", async () => {
    const { asked, bodies, options } = scripted(json(200, native, { "x-thormesh-served-by": "offer:spot" }));
    expect(await sendEmbedding(client, "hello", options)).toEqual({
      ...{ ok: true, retries: 0, refusals: 0, latencyMs: 0, servedBy: "offer:spot", failure: "" },
    });
    expect(asked).toEqual(["http://entry/api/v1/embed"]);
    expect(bodies).toEqual([{ inputs: ["hello"] }]);
  });

  test("the OpenAI API", async () => {
    const { asked, options } = scripted(json(200, openai));
    expect(await sendEmbedding({ ...client, shape: "openai" }, "hello", options)).toMatchObject({
      ...{ ok: true, servedBy: null },
    });
    expect(asked).toEqual(["http://entry/v1/embeddings"]);
  });

  test.each([
    { name: "full", first: json(429, { code: "TOO_MANY_REQUESTS" }), refusals: 1 },
    { name: "without anybody who serves", first: json(503, { code: "AGENT_STANDBY" }), refusals: 0 },
    { name: "gone", first: refusedConnection, refusals: 0 },
    { name: "not answering JSON", first: () => new Response("<html>", { status: 502 }), refusals: 0 },
  ])("asks the same address again when it is $name", async ({ first, refusals }) => {
    const { asked, options } = scripted(first, json(200, native));
    const result = await sendEmbedding(client, "x", options);
    expect(result).toMatchObject({ ok: true, retries: 1, refusals, latencyMs: 25 });
    expect(asked).toEqual(["http://entry/api/v1/embed", "http://entry/api/v1/embed"]);
  });

  test("pauses ever longer, up to a fifth of a second, and fails at the deadline with the last reason", async () => {
    const { asked, options } = scripted(json(429, { code: "TOO_MANY_REQUESTS" }), refusedConnection);
    const result = await sendEmbedding(client, "x", options);
    expect(result).toMatchObject({ ok: false, refusals: 1, failure: "connection refused, after 1 s", servedBy: null });
    // 25 + 50 + … + 200 are 900 ms; another pause would be past the second.
    expect(asked).toHaveLength(9);
    expect(result).toMatchObject({ retries: 8, latencyMs: 900 });
  });

  test.each([
    { name: "a short vector", answer: json(200, { embeddings: [[1, 2]] }), reason: "3 numbers" },
    { name: "a vector with null", answer: json(200, { embeddings: [[1, 2, null]] }), reason: "3 numbers" },
    { name: "no vector", answer: json(200, {}), reason: "3 numbers" },
    { name: "a request refused as wrong", answer: json(400, { code: "INVALID_REQUEST" }), reason: "INVALID_REQUEST" },
    { name: "an OpenAI error", answer: json(404, { error: { code: "MODEL_NOT_FOUND" } }), reason: "MODEL_NOT_FOUND" },
  ])("fails at once with $name", async ({ answer, reason }) => {
    const { asked, options } = scripted(answer);
    const result = await sendEmbedding(client, "x", options);
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
