import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { startGrpcClient } from "../agent/serving/grpc/start-client.ts";
import type { Answer } from "../agent/serving/start-serving.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

const standard = await findModel("all-MiniLM-L6-v2", null);
const directory = temporaryDirectory();
const config = { model_type: "bert", architectures: ["BertModel"], hidden_size: 384, max_position_embeddings: 512 };
let agent: Program;
let url: string;
let grpc: string;

/** Model directory without a manifest: its ONNX file is unknown until ONNX Runtime loads it. */
function writeModel(name: string, onnx: Uint8Array, own: { dimension?: number; tokenizer?: string } = {}) {
  const path = join(directory.path, "models", name);
  mkdirSync(join(path, "onnx"), { recursive: true });
  writeFileSync(join(path, "onnx/model.onnx"), onnx);
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, hidden_size: own.dimension ?? 384 }));
  writeFileSync(join(path, "tokenizer.json"), own.tokenizer ?? readFileSync(standard.tokenizerPath));
}

const embed = async (model: string, text: string) => {
  const body = JSON.stringify({ model, inputs: [text] });
  const response = await fetch(`${url}/api/v1/embed`, { method: "POST", body });
  return { status: response.status, body: (await response.json()) as Answer };
};

beforeAll(async () => {
  const onnx = readFileSync(standard.modelPath);
  cpSync(dirname(standard.modelPath), join(directory.path, "models/all-MiniLM-L6-v2"), { recursive: true });
  writeModel("truncated", onnx.subarray(0, onnx.length >> 1));
  writeModel("garbage", new Uint8Array(100_000).fill(0xa5));
  writeModel("empty", new Uint8Array());
  writeModel("wide", onnx, { dimension: 768 });
  const tokenizer = readFileSync(standard.tokenizerPath, "utf8");
  writeModel("foreign", onnx, { tokenizer: tokenizer.replaceAll(/(?<="robot": ?)\d+/g, "99999") });
  writeModel("torn", onnx, { tokenizer: tokenizer.slice(0, tokenizer.length >> 1) });
  writeModel("pinned", new Uint8Array(100_000).fill(0xa5));
  const configPath = join(directory.path, "agent.json");
  writeFileSync(
    configPath,
    JSON.stringify({ serving: { modelDirectory: join(directory.path, "models"), pinned: ["pinned"] } }),
  );
  const options = [
    "--listen",
    "127.0.0.1:0",
    "--grpc",
    "127.0.0.1:0",
    "--board",
    "none",
    "--broker",
    "mqtt://127.0.0.1:1",
  ];
  agent = startProgram(
    ["agent", ...options, "--state-dir", join(directory.path, "state"), "--config", configPath],
    directory.path,
  );
  ({ url, grpc } = JSON.parse(await agent.untilLogged('"agent started"')));
});

afterAll(async () => {
  await agent.stop();
  directory.remove();
});

test.each([
  { name: "truncated", what: "a truncated ONNX file" },
  { name: "garbage", what: "an ONNX file of garbage" },
  { name: "empty", what: "an empty ONNX file" },
  { name: "wide", what: "another dimension than the model's" },
  { name: "foreign", what: "another model's tokenizer" },
  { name: "torn", what: "a torn tokenizer" },
])("$what is refused in words, and the running model is untouched", async ({ name }) => {
  const before = await embed("all-MiniLM-L6-v2", `before ${name}`);
  const refused = await embed(name, "a robot");
  const after = await embed("all-MiniLM-L6-v2", `after ${name}`);
  expect([before.status, refused.status, after.status]).toEqual([200, 503, 200]);
  expect(refused.body).toMatchObject({ code: "MODEL_UNAVAILABLE", error: expect.stringContaining(name) });
  const models = (await (await fetch(`${url}/models`)).json()) as Answer;
  const entry = models["models"].find(({ id }: Answer) => id === name);
  expect(entry).toMatchObject({
    status: "available",
    execution_provider: null,
    problem: expect.stringMatching(/\S/),
  });
  const health = (await (await fetch(`${url}/health`)).json()) as Answer;
  expect(health["checks"].model_cache).toBe("degraded");
  expect(health["details"].model_cache).toContain(name);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("a pinned model that can't be loaded: gRPC goes on serving the others and says which one is missing", async () => {
  const client = startGrpcClient(grpc);
  try {
    const health = await eventually(
      () => client.answer("Health", {}),
      ({ state }) => state === "degraded",
    );
    expect(JSON.stringify(health)).toContain("pinned can't be loaded");
    const check = client.call("grpc.health.v1.Health/Check", { service: "akidb.embedding.v1.EmbeddingService" });
    expect((await check.next()).answer).toEqual({ status: "SERVING" });
    expect((await client.failure("Embed", { model: "pinned", inputs: ["a robot"] })).code).toBe(14);
    const { embeddings } = await client.answer("Embed", { inputs: ["asked over gRPC"] });
    expect(embeddings[0].values).toHaveLength(384);
  } finally {
    await client.stop();
  }
});

test("every line of the log is JSON, whatever ONNX Runtime prints", () => {
  const lines = agent
    .log()
    .split("\n")
    .filter((line) => line !== "");
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.filter((line) => !line.startsWith('{"level":'))).toEqual([]);
});
