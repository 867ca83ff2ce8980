import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { Elysia } from "elysia";
import OpenAI from "openai";
import { UsageError } from "#platform/errors.ts";
import { slowdown } from "../../fakes/machine-speed.ts";
import { type Answer, type TestServing, testServing } from "./start-serving.ts";

let server: TestServing;
beforeAll(async () => {
  server = testServing(
    { maxInputs: 300, maxBodyBytes: 200_000 },
    { extraRoutes: [new Elysia().get("/extra", () => ({ extra: 1 }))] },
  );
  await server.serving.start();
});
afterAll(() => server.serving.stop());

const get = (path: string) => fetch(server.serving.url + path);
const json = async (path: string) => (await (await get(path)).json()) as Answer;

describe("POST /api/v1/embed", () => {
  test("answers with vectors, the model's id and what was used, and records it", async () => {
    server.sink.served.length = 0;
    const { status, body } = await server.post("/api/v1/embed", { inputs: ["one robot", "two robots"] });
    expect(status).toBe(200);
    expect(body["embeddings"].map((vector: number[]) => vector.length)).toEqual([384, 384]);
    expect(body["model"]).toBe("all-MiniLM-L6-v2");
    expect(body["usage"]).toEqual({ total_tokens: 8, duration_ms: expect.any(Number), truncated_inputs: 0 });
    expect(server.sink.served).toEqual([
      {
        model: "all-MiniLM-L6-v2",
        tenant: "default",
        texts: 2,
        tokens: 8,
        latencyMs: expect.any(Number),
        computeMs: expect.any(Number),
        cachedTexts: 0,
        queueMs: expect.any(Number),
      },
    ]);
    expect(server.sink.served[0]!.computeMs).toBeGreaterThan(0);
    expect(server.sink.served[0]!.latencyMs).toBeGreaterThanOrEqual(server.sink.served[0]!.computeMs);
  });

  test("knows the model by its other names", async () => {
    const { body } = await server.post("/api/v1/embed", {
      model: "Sentence-Transformers/all-minilm-l6-v2",
      inputs: ["a"],
    });
    expect(body["model"]).toBe("all-MiniLM-L6-v2");
  });

  test("leaves vectors as they are when asked to", async () => {
    const inputs = ["a robot arm"];
    const raw = (await server.post("/api/v1/embed", { inputs, normalize: false })).body["embeddings"][0];
    const unit = (await server.post("/api/v1/embed", { inputs })).body["embeddings"][0];
    const length = Math.hypot(...raw);
    expect(Math.abs(length - 1)).toBeGreaterThan(0.1);
    for (const [i, value] of raw.entries()) expect(value / length).toBeCloseTo(unit[i], 6);
  });

  test.each([
    { name: "no inputs", body: { inputs: [] }, status: 400, message: "inputs: expected array of 1 to 300 items" },
    {
      name: "an empty text",
      body: { inputs: ["a", ""] },
      status: 400,
      message: 'inputs.1: expected string of at least 1 character, got ""',
    },
    { name: "no text", body: { inputs: [null] }, status: 400, message: "inputs.0: expected string, got null" },
    {
      name: "a text instead of a list",
      body: { inputs: "a" },
      status: 400,
      message: "inputs: expected array, got a string",
    },
    {
      name: "too many",
      body: { inputs: new Array(301).fill("a") },
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
      message: "inputs: expected array of 1 to 300 items, got an array of 301",
    },
    { name: "an unknown field", body: { inputs: ["a"], dims: 2 }, status: 400, message: "dims: unknown field" },
    {
      name: "an unknown model",
      body: { model: "gpt", inputs: ["a"] },
      status: 404,
      code: "MODEL_NOT_FOUND",
      message: 'model: expected one of all-MiniLM-L6-v2, got "gpt"',
    },
    {
      name: "a large body",
      body: { inputs: ["a".repeat(10_000_000)] },
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
      message: "the body is larger than 200000 bytes",
    },
  ])("refuses $name", async ({ body, status, code = "INVALID_REQUEST", message }) => {
    const answer = await server.post("/api/v1/embed", body);
    expect({ status: answer.status, code: answer.body["code"] }).toEqual({ status, code });
    expect(answer.body["error"]).toStartWith(message);
  });
});

describe("POST /v1/embeddings", () => {
  const base64Values = (text: string) => {
    const bytes = Buffer.from(text, "base64");
    return Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  };
  const vectorsOf = (body: Answer): number[][] => body["data"].map((row: Answer) => row["embedding"]);

  test("answers in OpenAI's shape", async () => {
    const { status, body } = await server.post("/v1/embeddings", {
      model: "all-minilm",
      input: ["one", "two"],
      user: "u",
    });
    expect(status).toBe(200);
    for (const row of body["data"]) row.embedding = row.embedding.length;
    expect(body).toEqual({
      object: "list",
      model: "all-MiniLM-L6-v2",
      usage: { prompt_tokens: 6, total_tokens: 6, truncated_inputs: 0 },
      data: [
        { object: "embedding", index: 0, embedding: 384 },
        { object: "embedding", index: 1, embedding: 384 },
      ],
    });
  });

  test("takes a text, texts, token ids and lists of token ids for the same", async () => {
    const ids = [101, 7592, 102]; // hello
    const answers = await Promise.all(
      ["hello", ["hello"], ids, [ids]].map((input) => server.post("/v1/embeddings", { input })),
    );
    const [first, ...others] = answers.map(({ body }) => vectorsOf(body));
    expect(first?.[0]?.length).toBe(384);
    for (const other of others) expect(other).toEqual(first!);
  });

  test("base64 holds the same values as float", async () => {
    const float = vectorsOf((await server.post("/v1/embeddings", { input: "hello" })).body)[0]!;
    const base64 = (await server.post("/v1/embeddings", { input: "hello", encoding_format: "base64" })).body;
    expect(base64Values(base64["data"][0].embedding)).toEqual(float.map(Math.fround));
  });

  test("cuts to the dimensions asked for, then normalises", async () => {
    const whole = vectorsOf((await server.post("/v1/embeddings", { input: "hello" })).body)[0]!;
    const cut = vectorsOf((await server.post("/v1/embeddings", { input: "hello", dimensions: 8 })).body)[0]!;
    const length = Math.hypot(...whole.slice(0, 8));
    expect(cut.length).toBe(8);
    for (const [i, value] of cut.entries()) expect(value).toBeCloseTo(whole[i]! / length, 6);
  });

  test("null counts as left out", async () => {
    const nulls = {
      encoding_format: null,
      dimensions: null,
      model: null,
      user: null,
      truncate: null,
      prompt_name: null,
    };
    const plain = await server.post("/v1/embeddings", { input: "hello" });
    const { status, body } = await server.post("/v1/embeddings", { input: "hello", ...nulls });
    expect(status).toBe(200);
    expect(body).toEqual(plain.body);
  });

  test.each([
    { name: "no input", body: {}, status: 400, code: "invalid_request", param: "input" },
    { name: "an empty text", body: { input: "" }, status: 400, code: "invalid_request", param: "input" },
    { name: "an empty list", body: { input: [] }, status: 400, code: "invalid_request", param: "input" },
    {
      name: "one empty text of many",
      body: { input: [...new Array(290).fill("a"), ""] },
      status: 400,
      code: "invalid_request",
      param: "input.290",
    },
    { name: "a mixture", body: { input: ["a", 1] }, status: 400, code: "invalid_request", param: "input.1" },
    {
      name: "tokens beyond the vocabulary",
      body: { input: [99_999_999] },
      status: 400,
      code: "invalid_request",
      param: "input",
    },
    {
      name: "no such encoding",
      body: { input: "a", encoding_format: "hex" },
      status: 400,
      code: "invalid_request",
      param: "encoding_format",
    },
    {
      name: "too many texts",
      body: { input: new Array(301).fill("a") },
      status: 413,
      code: "payload_too_large",
      param: "input",
    },
    {
      name: "too many lists of tokens",
      body: { input: new Array(301).fill([101, 102]) },
      status: 413,
      code: "payload_too_large",
      param: "input",
    },
    {
      name: "an empty list of tokens",
      body: { input: [[101], []] },
      status: 400,
      code: "invalid_request",
      param: "input.1",
    },
    {
      name: "a part of a token",
      body: { input: [101.5] },
      status: 400,
      code: "invalid_request",
      param: "input.0",
    },
    {
      name: "too many dimensions",
      body: { input: "a", dimensions: 385 },
      status: 400,
      code: "invalid_request",
      param: "dimensions",
    },
    {
      name: "zero dimensions",
      body: { input: "a", dimensions: 0 },
      status: 400,
      code: "invalid_request",
      param: "dimensions",
    },
    {
      name: "an unknown model",
      body: { input: "a", model: "gpt" },
      status: 404,
      code: "model_not_found",
      param: "model",
    },
  ])("refuses $name", async ({ body, status, code, param }) => {
    const answer = await server.post("/v1/embeddings", body);
    expect(answer.status).toBe(status);
    expect(answer.body["error"]).toEqual({ message: expect.any(String), type: "invalid_request_error", param, code });
  });

  test("OpenAI's client gets the same vectors as plain fetch", async () => {
    const client = new OpenAI({ baseURL: `${server.serving.url}/v1`, apiKey: "none", maxRetries: 0 });
    const input = ["The gripper did not close.", "机器人 🤖", "7"];
    const plain = vectorsOf((await server.post("/v1/embeddings", { input })).body).map((v) => v.map(Math.fround));
    const native = (await server.post("/api/v1/embed", { inputs: input })).body["embeddings"] as number[][];
    for (const encoding_format of [undefined, "float", "base64"] as const) {
      const answer = await client.embeddings.create({
        model: "all-MiniLM-L6-v2",
        input,
        ...(encoding_format === undefined ? {} : { encoding_format }),
      });
      const vectors = answer.data.map(({ embedding }) =>
        typeof embedding === "string" ? base64Values(embedding) : embedding.map(Math.fround),
      );
      expect(vectors).toEqual(plain);
    }
    expect(native.map((vector) => vector.map(Math.fround))).toEqual(plain);
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["all-MiniLM-L6-v2"]);
    const refusal = await client.embeddings.create({ model: "gpt", input }).catch((error) => error);
    expect(refusal).toBeInstanceOf(OpenAI.NotFoundError);
    expect(refusal.code).toBe("model_not_found");
  });
});

describe("what it says of itself", () => {
  test("health, liveness, readiness", async () => {
    const health = await json("/health");
    expect(health).toMatchObject({
      status: "healthy",
      version: "1.2.3",
      checks: { embedding_provider: "healthy" },
      details: { embedding_provider: "ONNX Runtime on the CPU" },
    });
    const names = ["embedding_provider", "model_cache", "model_files", "gpu"];
    expect(Object.keys(health["checks"])).toEqual(names);
    expect(Object.keys(health["details"])).toEqual(names);
    expect((await get("/livez")).status).toBe(200);
    expect((await get("/readyz")).status).toBe(200);
  });

  test("models", async () => {
    await server.post("/api/v1/embed", { inputs: ["a"] });
    const [model] = (await json("/models"))["models"];
    expect(model).toMatchObject({ id: "all-MiniLM-L6-v2", dimension: 384, params: 22713216, status: "loaded" });
    expect(model.memory_mb).toBeGreaterThan(50);
    expect(model.latency_p95_ms).toBeGreaterThan(0);
    expect(model.throughput_qps).toBeGreaterThan(0);
    expect(server.serving.loadedModels()).toEqual([
      {
        ...{ id: "all-MiniLM-L6-v2", dimension: 384, revision: model.revision },
        space: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ]);
  });

  test("metrics count what was done", async () => {
    const sample = async (name: string) => {
      const text = await (await get("/metrics")).text();
      return Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.split(" ")[1] ?? 0,
      );
    };
    const okName = 'akidb_embed_requests_total{model="all-MiniLM-L6-v2",status="success"}';
    const before = await sample(okName);
    const tokensBefore = await sample('akidb_tokens_processed_total{model="all-MiniLM-L6-v2"}');
    await server.post("/api/v1/embed", { inputs: ["hello", "hello"] });
    expect((await sample(okName)) - before).toBe(1);
    expect((await sample('akidb_tokens_processed_total{model="all-MiniLM-L6-v2"}')) - tokensBefore).toBe(6);
    const text = await (await get("/metrics")).text();
    for (const name of [
      "akidb_embed_latency_seconds_bucket",
      "akidb_batch_size_bucket",
      "akidb_embedding_queue_depth 0",
      'akidb_model_load_seconds_count{model="all-MiniLM-L6-v2"} 1',
      "akidb_model_cache_size 1",
      "akidb_model_cache_hits_total",
    ]) {
      expect(text).toContain(name);
    }
  });

  test("the OpenAPI document names every route, the extra ones too", async () => {
    const paths = Object.keys((await json("/openapi/json"))["paths"]);
    for (const path of ["/api/v1/embed", "/v1/embeddings", "/v1/models", "/health", "/models", "/extra"]) {
      expect(paths).toContain(path);
    }
    expect(await json("/extra")).toEqual({ extra: 1 });
  });
});

describe("while not active", () => {
  test.each(["standby", "draining"] as const)("%s: 503 with the peers that serve", async (role) => {
    const peers = [{ agentId: "b", url: "http://10.0.0.2:8080" }];
    server.role.role = role;
    server.role.servingPeers = () => peers;
    const rejectedBefore = server.sink.refused.length;
    try {
      const native = await server.post("/api/v1/embed", { inputs: ["a"] });
      expect(native.status).toBe(503);
      expect(Number(native.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(native.body).toEqual({ error: expect.stringContaining(role), code: "AGENT_STANDBY", peers });
      const openai = await server.post("/v1/embeddings", { input: "a" });
      expect(openai.status).toBe(503);
      expect(openai.body).toEqual({
        error: { message: expect.stringContaining(role), type: "server_error", param: null, code: "agent_standby" },
        peers,
      });
      expect(server.sink.refused.length - rejectedBefore).toBe(2);
      expect((await get("/readyz")).status).toBe(503);
      expect((await get("/livez")).status).toBe(200);
    } finally {
      server.role.role = "active";
      server.role.servingPeers = () => [];
    }
    expect((await server.post("/api/v1/embed", { inputs: ["a"] })).status).toBe(200);
  });
});

test("a large answer comes whole and lets small ones through", async () => {
  const inputs = Array.from({ length: 300 }, (_, i) => `event ${i}`);
  const large = server.post("/api/v1/embed", { inputs });
  const { body } = await large;
  expect(body["embeddings"].length).toBe(300);
  const [alone] = (await server.post("/api/v1/embed", { inputs: ["event 299"] })).body["embeddings"];
  for (const [i, value] of alone.entries()) expect(value).toBeCloseTo(body["embeddings"][299][i], 6);
});

test("clients that vanish with requests in flight leave it serving", async () => {
  const body = JSON.stringify({ inputs: Array.from({ length: 200 }, (_, i) => `vanishing ${i}`) });
  const request = `POST /api/v1/embed HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const servedBefore = server.sink.served.length;
  for (let i = 0; i < 4; i += 1) {
    const socket = connect(server.serving.port, "127.0.0.1");
    socket.write(request);
    while (server.serving.inFlight() === 0) await Bun.sleep(1);
    socket.destroy();
    while (server.serving.inFlight() > 0) await Bun.sleep(1);
  }
  expect(server.sink.refused.filter(({ cause }) => cause === "error")).toEqual([]);
  expect(server.serving.queueDepth()).toBe(0);
  expect((await server.post("/api/v1/embed", { inputs: ["a"] })).status).toBe(200);
  // Not one of the four was computed to its end.
  expect(server.sink.served.length - servedBefore).toBe(1);
});

/** The model workers that this process has started. */
function modelProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const ours = new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(readFileSync(`/proc/${pid}/status`, "utf8"));
        return ours && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("model-worker");
      } catch {
        return false; // it ended while we looked
      }
    })
    .map(Number);
}

/** Waits until the other server's process is the only one: one that was killed may be seen for a moment. */
async function onlyOneIsLeft(): Promise<void> {
  while (modelProcesses().length > 1) await Bun.sleep(10);
  expect(modelProcesses().length).toBe(1);
}

test("a model process that is killed costs no request", async () => {
  const requests = Array.from({ length: 20 }, (_, i) =>
    server.post("/api/v1/embed", { inputs: Array.from({ length: 10 }, (_, k) => `killed ${i} ${k}`) }),
  );
  while (server.serving.inFlight() < 5) await Bun.sleep(1);
  const [pid] = modelProcesses();
  process.kill(pid!, "SIGKILL");
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual(new Array(20).fill(200));
  expect(await (await get("/metrics")).text()).toContain('akidb_worker_restarts_total{model="all-MiniLM-L6-v2"} 1');
});

describe("starting and stopping", () => {
  test("a port in use is a usage error that names it; nothing is left running", async () => {
    const second = testServing({ port: server.serving.port });
    const attempt = second.serving.start();
    await expect(attempt).rejects.toBeInstanceOf(UsageError);
    await expect(attempt).rejects.toThrow(`port ${server.serving.port} on 127.0.0.1 is in use`);
    const stopStartedMs = performance.now();
    await second.serving.stop();
    // A process that is still loading is not waited for.
    expect(performance.now() - stopStartedMs).toBeLessThan(1_900 * slowdown());
    await onlyOneIsLeft();
  });

  test.each([
    { name: "other machines without a key", config: { host: "0.0.0.0" }, message: "refusing to listen on 0.0.0.0" },
    { name: "an unknown model", config: { model: "nope" }, message: 'model "nope" was not found' },
  ])("$name is a usage error", async ({ config, message }) => {
    const wrong = testServing(config);
    const attempt = wrong.serving.start();
    await expect(attempt).rejects.toBeInstanceOf(UsageError);
    await expect(attempt).rejects.toThrow(message);
  });

  test("stop finishes what is in flight, turns new requests away and ends at once when idle", async () => {
    const other = testServing();
    await other.serving.start();
    const inFlight = other.post("/api/v1/embed", { inputs: Array.from({ length: 60 }, (_, i) => `last words ${i}`) });
    while (other.serving.inFlight() === 0) await Bun.sleep(1);
    const stopped = other.serving.stop();
    expect((await inFlight).status).toBe(200);
    await stopped;
    await onlyOneIsLeft();
    await expect(fetch(`${other.serving.url}/livez`)).rejects.toThrow();
  });

  test("before start it is inert", () => {
    const { serving } = testServing();
    expect({
      port: serving.port,
      url: serving.url,
      depth: serving.queueDepth(),
      models: serving.loadedModels(),
    }).toEqual({
      port: 0,
      url: "",
      depth: 0,
      models: [],
    });
  });
});
