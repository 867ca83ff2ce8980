import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:http2";
import { UsageError } from "#platform/errors.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";
import { embeddingService, type GrpcClient, startGrpcClient } from "./start-client.ts";

const anyPort = { enabled: true, host: null, port: null };

let server: TestServing;
let client: GrpcClient;
beforeAll(async () => {
  server = testServing({ grpc: anyPort, maxInputs: 300, maxBodyBytes: 200_000 });
  await server.serving.start();
  client = startGrpcClient(server.serving.grpcAddress as string);
});
afterAll(async () => {
  await client.stop();
  await server.serving.stop();
});

const values = (answer: Answer): number[][] => answer["embeddings"].map((entry: Answer) => entry["values"]);
const length = (vector: readonly number[]) => Math.hypot(...vector);

describe("Embed", () => {
  test("answers what /api/v1/embed answers, and records it", async () => {
    const inputs = ["The gripper did not close.", "机器人 🤖", "7"];
    server.sink.served.length = 0;
    const answer = await client.answer("Embed", { inputs });
    expect(server.sink.served.map(({ model, texts }) => ({ model, texts }))).toEqual([
      { model: "all-MiniLM-L6-v2", texts: 3 },
    ]);
    const { body } = await server.post("/api/v1/embed", { inputs });
    expect(values(answer)).toEqual(body["embeddings"].map((vector: number[]) => vector.map(Math.fround)));
    expect(answer["model"]).toBe("all-MiniLM-L6-v2");
    expect(answer["usage"]).toEqual({
      total_tokens: body["usage"].total_tokens,
      duration_ms: Math.ceil(answer["usage"].exact_duration_ms),
      truncated_inputs: 0,
      exact_duration_ms: expect.any(Number),
    });
    expect(answer["usage"].exact_duration_ms).toBeGreaterThan(0);
  });

  test("normalize and dimensions shape the vectors; an alias and an empty model name are understood", async () => {
    const ask = async (more: object) => values(await client.answer("Embed", { inputs: ["a b c"], ...more }))[0]!;
    const whole = await ask({});
    expect(length(whole)).toBeCloseTo(1, 5);
    const raw = await ask({ normalize: false });
    expect(Math.abs(length(raw) - 1)).toBeGreaterThan(0.01);
    const cut = await ask({ dimensions: 64 });
    expect(cut.length).toBe(64);
    expect(length(cut)).toBeCloseTo(1, 5);
    expect(cut[0]! / whole[0]!).toBeCloseTo(cut[63]! / whole[63]!, 4);
    expect(await ask({ dimensions: 64, normalize: false })).toEqual(raw.slice(0, 64));
    expect(await ask({ model: "ALL-MINILM-L6-V2" })).toEqual(whole);
    expect(await ask({ model: "", prompt_name: "" })).toEqual(whole);
  });

  test("texts that are cut are counted, or refused when that was asked for", async () => {
    const inputs = ["short", "long ".repeat(400)];
    expect((await client.answer("Embed", { inputs }))["usage"].truncated_inputs).toBe(1);
    const refusal = await client.failure("Embed", { inputs, truncate: false });
    expect(refusal.code).toBe(3);
    expect(refusal.details).toContain("inputs.1");
  });

  test("many texts at once and many calls at once", async () => {
    const inputs = Array.from({ length: 300 }, (_, i) => `event ${i}`);
    const large = client.answer("Embed", { inputs });
    const small = await Promise.all(inputs.slice(0, 40).map((text) => client.answer("Embed", { inputs: [text] })));
    const vectors = values(await large);
    expect(vectors.length).toBe(300);
    for (const [i, answer] of small.entries()) expect(values(answer)[0]![0]!).toBeCloseTo(vectors[i]![0]!, 5);
  });
});

describe("a failure means over gRPC what it means over HTTP", () => {
  const tooMany = Array.from({ length: 301 }, () => "a");
  test.each([
    { name: "no inputs", request: {}, http: { inputs: [] }, code: 3, param: "inputs" },
    { name: "an empty input", request: { inputs: ["a", ""] }, code: 3, param: "inputs.1" },
    { name: "too many inputs", request: { inputs: tooMany }, code: 8, param: "inputs" },
    { name: "an unknown model", request: { inputs: ["a"], model: "gpt-ü" }, code: 5, param: "model" },
    {
      name: "a model name that is too long",
      request: { inputs: ["a"], model: "m".repeat(129) },
      code: 3,
      param: "model",
    },
    {
      name: "a prompt that the model does not have",
      request: { inputs: ["a"], prompt_name: "query" },
      code: 3,
      param: "prompt_name",
    },
    {
      name: "a prompt's name that is too long",
      request: { inputs: ["a"], prompt_name: "p".repeat(129) },
      code: 3,
      param: "prompt_name",
    },
    {
      name: "a text that is too long and may not be cut",
      request: { inputs: ["a", "long ".repeat(400)], truncate: false },
      code: 3,
      param: "inputs",
    },
    { name: "no dimensions", request: { inputs: ["a"], dimensions: 0 }, code: 3, param: "dimensions" },
    { name: "too many dimensions", request: { inputs: ["a"], dimensions: 385 }, code: 3, param: "dimensions" },
  ])("$name", async ({ request, http, code, param }) => {
    const failure = await client.failure("Embed", request);
    const { body } = await server.post("/api/v1/embed", http ?? request);
    expect(failure.code).toBe(code);
    expect(failure.metadata["error-code"]).toBe(body["code"]);
    expect(failure.details).toBe(body["error"]);
    expect(failure.metadata["param"]).toBe(param);
    expect(body["param"]).toBe(param);
  });

  test.each(["standby", "draining"] as const)("%s: unavailable, with when to try again and the peers", async (role) => {
    const peers = [{ agentId: "b", url: "http://10.0.0.2:8080" }];
    server.role.role = role;
    server.role.servingPeers = () => peers;
    try {
      const { code, details, metadata } = await client.failure("Embed", { inputs: ["a"] });
      const http = await server.post("/api/v1/embed", { inputs: ["a"] });
      expect({ code, details }).toEqual({ code: 14, details: http.body["error"] });
      expect(metadata["error-code"]).toBe("AGENT_STANDBY");
      expect(metadata["retry-after"]).toBe(http.headers.get("retry-after") as string);
      expect(Number(metadata["grpc-retry-pushback-ms"])).toBe(Number(metadata["retry-after"]) * 1000);
      expect(JSON.parse(metadata["peers"] as string)).toEqual(peers);
    } finally {
      server.role.role = "active";
      server.role.servingPeers = () => [];
    }
  });

  test("a message larger than the limit is refused", async () => {
    expect((await client.failure("Embed", { inputs: ["x".repeat(250_000)] })).code).toBe(8);
  });

  test("a method that is not there", async () => {
    const session = connect(`http://${server.serving.grpcAddress}`);
    const headers = { ":method": "POST", ":path": `/${embeddingService}/Nothing`, "content-type": "application/grpc" };
    const stream = session.request({ ...headers, te: "trailers" });
    const status = await new Promise((resolve) => {
      stream.on("response", (response) => resolve(response["grpc-status"]));
      stream.end();
    });
    session.close();
    expect(Number(status)).toBe(12);
  });

  test("bytes that are no message", async () => {
    const session = connect(`http://${server.serving.grpcAddress}`);
    const headers = { ":method": "POST", ":path": `/${embeddingService}/Embed`, "content-type": "application/grpc" };
    const stream = session.request({ ...headers, te: "trailers" });
    const status = new Promise((resolve) => {
      const look = (trailers: Record<string, unknown>) => {
        if (trailers["grpc-status"] !== undefined) resolve(Number(trailers["grpc-status"]));
      };
      stream.on("response", look);
      stream.on("trailers", look);
    });
    // A frame of two bytes: the start of a string of 127 bytes, and no more.
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x12, 0x7f]));
    stream.resume();
    expect(await status).toBe(3);
    session.close();
    expect((await client.answer("Embed", { inputs: ["a"] }))["embeddings"].length).toBe(1);
  });
});

describe("calls that end early", () => {
  const slow = () => ({ inputs: Array.from({ length: 300 }, (_, i) => `slow ${Math.random()} ${i} `.repeat(20)) });

  test("a deadline is kept, and what it leaves is not computed", async () => {
    server.sink.served.length = 0;
    const { code } = await client.failure("Embed", slow(), { deadlineMs: 30 });
    expect([4, 8]).toContain(code); // refused at once where it is expected to take longer
    while (server.serving.inFlight() > 0) await Bun.sleep(1);
    expect(server.sink.served).toEqual([]);
    expect(server.serving.queueDepth()).toBe(0);
  });

  test("a call that is cancelled is not computed", async () => {
    server.sink.served.length = 0;
    const call = client.call("Embed", slow());
    while (server.serving.inFlight() === 0) await Bun.sleep(1);
    call.cancel();
    expect((await call.next()).error?.code).toBe(1);
    while (server.serving.inFlight() > 0) await Bun.sleep(1);
    expect(server.sink.served).toEqual([]);
  });
});

test("Health and ListModels say what /health and /models say", async () => {
  const get = async (path: string) => (await (await fetch(server.serving.url + path)).json()) as Answer;
  const { status, state, checks, details, version } = await client.answer("Health", {});
  expect({ status: state, checks, details, version }).toEqual((await get("/health")) as typeof checks);
  expect(status).toBe("HEALTHY");
  expect(checks.grpc).toBe("healthy");
  const [model] = (await client.answer("ListModels", {}))["models"];
  const [expected] = (await get("/models"))["models"];
  // All fields, those to come too; what changes between the two questions need only be there.
  for (const [field, value] of Object.entries(expected as Answer)) {
    const changing = ["memory_mb", "latency_p95_ms", "throughput_qps"].includes(field);
    if (value !== null) expect({ [field]: model[field] }).toEqual({ [field]: changing ? expect.any(Number) : value });
  }
  expect(model.memory_mb).toBeGreaterThan(50);
  expect(model.throughput_qps).toBeGreaterThan(0);
  expect(model.throughput_qps).toBe(Math.ceil(model.exact_throughput_qps));
  expect(model.latency_p95_ms).toBe(Math.ceil(model.exact_latency_p95_ms));
});

describe("the standard health service", () => {
  const check = "grpc.health.v1.Health/Check";
  const watch = "grpc.health.v1.Health/Watch";

  test.each(["", embeddingService, "grpc.health.v1.Health"])("Check of %p", async (service) => {
    expect(await client.answer(check, { service })).toEqual({ status: "SERVING" });
  });

  test("a service that is not there", async () => {
    const { code, details } = await client.failure(check, { service: "none.Such" });
    expect(code).toBe(5);
    expect(details).toContain("none.Such");
    const watched = client.call(watch, { service: "none.Such" });
    expect((await watched.next()).answer).toEqual({ status: "SERVICE_UNKNOWN" });
    watched.cancel();
  });

  test("Watch tells of every change", async () => {
    const watched = client.call(watch, { service: embeddingService });
    expect((await watched.next()).answer).toEqual({ status: "SERVING" });
    for (const [role, status] of [
      ["standby", "NOT_SERVING"],
      ["active", "SERVING"],
      ["draining", "NOT_SERVING"],
      ["active", "SERVING"],
    ] as const) {
      server.role.role = role;
      expect((await watched.next()).answer).toEqual({ status });
      expect(await client.answer(check, { service: "" })).toEqual({ status });
    }
    watched.cancel();
  });
});

describe("starting and stopping", () => {
  test("with a key: calls and reflection need it, health does not", async () => {
    const closed = testServing({ grpc: anyPort, apiKeys: ["first-key", "second-key"] });
    await closed.serving.start();
    const caller = startGrpcClient(closed.serving.grpcAddress as string);
    try {
      for (const metadata of [{}, { authorization: "Bearer three" }, { authorization: "second-key" }]) {
        for (const method of ["Embed", "ListModels"]) {
          const failure = await caller.failure(method, { inputs: ["a"] }, { metadata });
          expect(failure).toMatchObject({ code: 16, metadata: { "error-code": "UNAUTHORIZED" } });
        }
      }
      const metadata = { authorization: "Bearer second-key" };
      expect((await caller.answer("Embed", { inputs: ["a"] }, { metadata }))["embeddings"].length).toBe(1);
      expect((await caller.answer("ListModels", {}, { metadata }))["models"].length).toBe(1);
      expect((await caller.answer("Health", {}))["state"]).toBe("healthy");
      expect(await caller.answer("grpc.health.v1.Health/Check", {})).toEqual({ status: "SERVING" });
      const reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
      expect((await caller.failure(reflection, [{ list_services: "" }])).code).toBe(16);
      const answer = await caller.answer(reflection, [{ list_services: "" }], { metadata });
      expect(answer["list_services_response"].service.length).toBe(4);
    } finally {
      await caller.stop();
      await closed.serving.stop();
    }
  });

  test("stop: watching clients are told first, what is in flight is finished, then nothing listens", async () => {
    const other = testServing({ grpc: anyPort });
    await other.serving.start();
    const caller = startGrpcClient(other.serving.grpcAddress as string);
    try {
      const watched = caller.call("grpc.health.v1.Health/Watch", {});
      expect((await watched.next()).answer).toEqual({ status: "SERVING" });
      const inFlight = caller.answer("Embed", { inputs: Array.from({ length: 60 }, (_, i) => `last words ${i}`) });
      while (other.serving.inFlight() === 0) await Bun.sleep(1);
      const stopped = other.serving.stop();
      expect((await watched.next()).answer).toEqual({ status: "NOT_SERVING" });
      expect((await watched.next()).error).toMatchObject({ code: 14, metadata: { "error-code": "SHUTTING_DOWN" } });
      expect((await inFlight)["embeddings"].length).toBe(60);
      await stopped;
      expect((await caller.failure("Health", {})).code).toBe(14);
    } finally {
      await caller.stop();
    }
  });

  test("a port that was chosen and is taken is a usage error that names the setting", async () => {
    const port = Number(server.serving.grpcAddress?.split(":").at(-1));
    const second = testServing({ grpc: { enabled: true, host: null, port } });
    const attempt = second.serving.start();
    await expect(attempt).rejects.toBeInstanceOf(UsageError);
    await expect(attempt).rejects.toThrow(`gRPC port ${port} on 127.0.0.1 is in use`);
    await expect(attempt).rejects.toThrow("serving.grpc.port");
    await second.serving.stop();
  });

  test("other machines without a key are a usage error", async () => {
    const open = testServing({ grpc: { enabled: true, host: "0.0.0.0", port: 0 } });
    const attempt = open.serving.start();
    await expect(attempt).rejects.toBeInstanceOf(UsageError);
    await expect(attempt).rejects.toThrow("serving.grpc: refusing to listen on 0.0.0.0");
    await open.serving.stop();
  });

  test("switched off there is no address and no word of it in /health", async () => {
    const off = testServing();
    await off.serving.start();
    expect(off.serving.grpcAddress).toBeNull();
    const health = (await (await fetch(`${off.serving.url}/health`)).json()) as Answer;
    expect(Object.keys(health["checks"])).not.toContain("grpc");
    await off.serving.stop();
  });
});
