import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testEveryRoute } from "../every-route.ts";
import type { Answer, TestServing } from "../start-serving.ts";

const key = "the-key-of-a-client";
const model = "all-MiniLM-L6-v2";
const inputs = ["The gripper did not close.", "7"];

let server: TestServing;
let plain: number[][];
const post = async (
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${key}` },
) => {
  const answer = await fetch(server.serving.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Answer };
};
beforeAll(async () => {
  server = testEveryRoute({
    apiKeys: [key],
    aliases: { "text-embedding-3-small": model, "of/mine": "sentence-transformers/all-MiniLM-L6-v2", lost: "nowhere" },
  });
  await server.serving.start();
  plain = (await post("/api/v1/embed", { inputs })).body["embeddings"];
});
afterAll(() => server.serving.stop());

describe("Azure OpenAI", () => {
  const path = `/openai/deployments/${model}/embeddings?api-version=2024-10-21`;

  test("a deployment is a model; its key comes as api-key", async () => {
    const { status, body } = await post(path, { input: inputs, model: "whatever" }, { "api-key": key });
    expect(status).toBe(200);
    expect(body["data"].map(({ embedding }: Answer) => embedding)).toEqual(plain);
    expect((await post(path, { input: inputs }, { "api-key": "a-wrong-key" })).status).toBe(401);
    const { body: named } = await post("/openai/deployments/text-embedding-3-small/embeddings", { input: inputs });
    expect(named["data"][1].embedding).toEqual(plain[1]);
    const { body: v1 } = await post("/openai/v1/embeddings?api-version=preview", { input: inputs, model });
    expect(v1["data"][0].embedding).toEqual(plain[0]);
  });

  test("errors are in OpenAI's shape", async () => {
    const { status, body } = await post("/openai/deployments/gpt/embeddings", { input: inputs });
    expect(status).toBe(404);
    expect(body["error"]).toMatchObject({ code: "model_not_found", param: "model" });
    expect((await post(path, { input: inputs }, {})).body["error"].code).toBe("invalid_api_key");
  });
});

describe("Ollama", () => {
  test("/api/embed", async () => {
    for (const name of [model, `${model}:latest`, "of/mine"]) {
      const { status, body } = await post("/api/embed", { model: name, input: inputs, keep_alive: "5m", options: {} });
      expect(status).toBe(200);
      expect(body).toEqual({
        model: name,
        embeddings: plain,
        total_duration: expect.any(Number),
        prompt_eval_count: expect.any(Number),
      });
      expect(body["total_duration"]).toBeGreaterThan(1_000);
      expect(body["prompt_eval_count"]).toBeGreaterThan(8);
    }
    const alone = await post("/api/embed", { model, input: inputs[1], dimensions: 3 });
    expect(alone.body["embeddings"][0].length).toBe(3);
    const long = { model, input: "long ".repeat(400), truncate: false };
    expect((await post("/api/embed", long)).status).toBe(400);
  });

  test("/api/embeddings", async () => {
    const { body } = await post("/api/embeddings", { model, prompt: inputs[0] });
    const length = Math.hypot(...body["embedding"]);
    expect(length).not.toBeCloseTo(1, 2);
    for (const [i, value] of body["embedding"].entries()) expect(value / length).toBeCloseTo(plain[0]![i]!, 5);
  });

  test("an error is a text, as its clients show it", async () => {
    const { status, body } = await post("/api/embed", { model: "nomic-embed-text:latest", input: "a" });
    expect({ status, error: body["error"] }).toEqual({
      status: 404,
      error: `model: expected one of ${model}, got "nomic-embed-text"`,
    });
  });
});

describe("names of one's own", () => {
  test("are taken by every route, ignoring case, and listed", async () => {
    for (const name of ["text-embedding-3-small", "Text-Embedding-3-Small", "of/mine"]) {
      const { body } = await post("/v1/embeddings", { model: name, input: inputs });
      expect(body["data"][0].embedding).toEqual(plain[0]);
      expect(body["model"]).toBe(model);
    }
    const get = async (path: string) =>
      (await (await fetch(server.serving.url + path, { headers: { "api-key": key } })).json()) as Answer;
    expect((await get("/v1/models"))["data"].map(({ id }: Answer) => id)).toEqual([
      model,
      "text-embedding-3-small",
      "of/mine",
    ]);
    expect((await get("/models"))["models"][0].aliases.slice(0, 2)).toEqual(["text-embedding-3-small", "of/mine"]);
    expect((await get("/v1/models/of%2Fmine"))["id"]).toBe(model);
  });

  test("one whose model is not there says so, in its answers and in /health", async () => {
    const { status, body } = await post("/api/v1/embed", { model: "lost", inputs });
    expect(status).toBe(503);
    expect(body["error"]).toContain("serving.aliases.lost: there is no model nowhere");
    const health = await fetch(`${server.serving.url}/health`, { headers: { "api-key": key } });
    const { checks, details } = (await health.json()) as Answer;
    expect(checks.model_cache).toBe("degraded");
    expect(details.model_cache).toContain("there is no model nowhere");
  });
});

test("every path may end with a slash; it needs what the path without it needs", async () => {
  const document = await fetch(`${server.serving.url}/openapi/json`, { headers: { "api-key": key } });
  const { paths } = (await document.json()) as { paths: Record<string, Record<string, Answer>> };
  let checked = 0;
  for (const [path, methods] of Object.entries(paths)) {
    if (path === "/") continue;
    for (const method of Object.keys(methods)) {
      const ask = async (end: string, headers: Record<string, string>) => {
        const target = `${server.serving.url}${path.replace(/\{\w+\}/, model)}${end}`;
        const body = method === "post" ? { body: "{}" } : {};
        return (await fetch(target, { method: method.toUpperCase(), headers, ...body })).status;
      };
      for (const headers of [{}, { "api-key": key }] as Record<string, string>[]) {
        const without = await ask("", headers);
        expect({ method, path, status: await ask("/", headers) }).toEqual({ method, path, status: without });
        expect(without).not.toBe(404);
        checked += 1;
      }
    }
  }
  expect(checked).toBeGreaterThan(30);
  const wrong = await fetch(`${server.serving.url}/embed/`, { headers: { "api-key": key } });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
});
