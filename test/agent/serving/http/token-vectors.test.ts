import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decideModelIo } from "#agent/serving/worker/decide-model-io.ts";
import type { OnnxGraph } from "../../../fakes/onnx/onnx-file.ts";
import { lookUpModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";

/** Weights that tokens give a vocabulary of four: the token's distance from [CLS], nothing, 3 of [CLS] alone, nothing that is positive. */
const weights = Array.from({ length: 30_522 * 4 }, (_, i) => {
  const token = Math.floor(i / 4);
  return [token - 101, 0, token === 101 ? 3 : -7, -token][i % 4] as number;
});
const moduleOf = (type: string, path: string) => ({
  type: `sentence_transformers.sparse_encoder.models.${type}`,
  path,
});
const splade = {
  "config.json": { ...bertConfig, architectures: ["BertForMaskedLM"], vocab_size: 4 },
  "modules.json": [moduleOf("MLMTransformer", ""), moduleOf("SpladePooling", "1_SpladePooling")],
  "onnx/model.onnx": lookUpModel({ output: "logits", table: weights }),
};
const pooling = (more: object) => ({ pooling_strategy: "max", activation_function: "relu", ...more });

/** A model that pools inside its file. */
function pooledModel(): OnnxGraph {
  const { nodes, outputs, ...rest } = lookUpModel({ output: "tokens" });
  const attributes = { axes: [1], keepdims: 0 };
  return {
    ...rest,
    outputs: [{ name: "sentence_embedding", type: "float32", shape: ["batch", 4] }],
    nodes: [...nodes, { op: "ReduceMean", inputs: ["tokens"], outputs: ["sentence_embedding"], attributes }],
  };
}

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
let server: TestServing;
beforeAll(async () => {
  await writeModelDirectory(join(directory, "splade"), { ...splade, "1_SpladePooling/config.json": pooling({}) });
  await writeModelDirectory(join(directory, "summed"), {
    ...splade,
    "1_SpladePooling/config.json": pooling({ pooling_strategy: "sum" }),
  });
  await writeModelDirectory(join(directory, "pooled"), { "model.onnx": pooledModel() });
  server = testServing({ modelDirectory: directory, queueBytes: 20_000_000 });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

describe("/embed_sparse", () => {
  const expected = [
    { index: 0, value: Math.fround(Math.log1p(1037 - 101)) },
    { index: 2, value: Math.fround(Math.log1p(3)) },
  ];

  test("the tokens that have a weight, by the first sparse model unless one is named", async () => {
    for (const more of [{}, { model: "splade" }]) {
      const { status, body } = await server.post("/embed_sparse", { inputs: ["a", "[CLS]"], ...more });
      expect(status).toBe(200);
      expect(body[0]).toEqual(expected);
      expect(body[1].length).toBe(2);
    }
    expect((await server.post("/embed_sparse", { inputs: "a" })).body).toEqual([expected]);
  });

  test("a text in a batch of longer ones, which pads it", async () => {
    const { body } = await server.post("/embed_sparse", { inputs: ["a", "a a a a a a a a", "a"] });
    expect(body).toEqual([expected, expected, expected]);
  });

  test("other models are refused with 424, and sparse ones by other routes", async () => {
    const { status, body } = await server.post("/embed_sparse", { inputs: "a", model: "all-MiniLM-L6-v2" });
    expect([status, body["code"], body["param"]]).toEqual([424, "UNSUPPORTED_BY_MODEL", "model"]);
    expect(body["error"]).toContain("got all-MiniLM-L6-v2");
    for (const path of ["/embed", "/api/v1/embed"]) {
      const other = await server.post(path, { inputs: ["a"], model: "splade" });
      expect([path, other.status, other.body["error"]]).toEqual([path, 400, expect.stringContaining("/embed_sparse")]);
    }
    expect((await server.post("/embed_all", { inputs: ["a"], model: "splade" })).status).toBe(400);
  });

  test("a pooling that is not computed here is said", async () => {
    const { status, body } = await server.post("/embed_sparse", { inputs: "a", model: "summed" });
    expect([status, body["error"]]).toEqual([
      503,
      expect.stringContaining("1_SpladePooling/config.json: pooling_strategy: expected max, got sum"),
    ]);
  });

  test("it is listed as what it is", async () => {
    const { models } = (await (await fetch(`${server.serving.url}/models`)).json()) as { models: object[] };
    expect(models).toContainEqual(expect.objectContaining({ id: "splade", kind: "sparse", dimension: 4 }));
  });
});

describe("/embed_all", () => {
  const meanOf = (vectors: readonly number[][]) =>
    (vectors[0] as number[]).map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);

  test("a vector for each token; their mean is the text's vector", async () => {
    const inputs = ["The gripper did not close.", "7", "机器人 🤖"];
    const all = (await server.post("/embed_all", { inputs })).body as number[][][];
    const tokens = (await server.post("/tokenize", { inputs })).body as object[][];
    expect(all.map(({ length }) => length)).toEqual(tokens.map(({ length }) => length));
    const raw = (await server.post("/embed", { inputs, normalize: false })).body as number[][];
    for (const [i, vectors] of all.entries())
      for (const [j, value] of meanOf(vectors).entries()) expect(value).toBeCloseTo(raw[i]![j]!, 4);
  });

  test("again from the cache, and never in place of the text's vector", async () => {
    const inputs = ["asked twice, and as a whole"];
    const first = await server.post("/embed_all", { inputs });
    const whole = await server.post("/embed", { inputs });
    expect(whole.body[0].length).toBe(384);
    expect((await server.post("/embed_all", { inputs })).body).toEqual(first.body);
  });

  test("beside texts that are asked for as a whole at the same time", async () => {
    const ask = (i: number) => server.post(i % 2 === 0 ? "/embed_all" : "/embed", { inputs: [`text ${i} of many`] });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(i)));
    for (const [i, { status, body }] of answers.entries()) {
      expect(status).toBe(200);
      expect(i % 2 === 0 ? body[0][0].length : body[0].length).toBe(384);
    }
  });

  test("long texts are cut and counted; a large answer comes whole", async () => {
    const inputs = Array.from({ length: 20 }, (_, i) => `word ${i} `.repeat(300));
    const { status, headers, body } = await server.post("/embed_all", { inputs });
    expect(status).toBe(200);
    expect(headers.get("x-truncated-inputs")).toBe("20");
    expect(body["length"]).toBe(20);
    for (const vectors of body as unknown as number[][][]) expect(vectors.length).toBe(256);
  });

  test("what would take more memory than requests may have is refused", async () => {
    const { status } = await server.post("/embed_all", { inputs: new Array(100).fill("long ".repeat(300)) });
    expect(status).toBe(413);
  });

  test("a model that pools inside its file has none", async () => {
    expect((await server.post("/embed", { inputs: "a", model: "pooled" })).status).toBe(200);
    const { status, body } = await server.post("/embed_all", { inputs: "a", model: "pooled" });
    expect([status, body["code"]]).toEqual([424, "UNSUPPORTED_BY_MODEL"]);
    expect(body["error"]).toContain("got pooled, whose file has none");
  });
});

test("token vectors are found beside the output that counts", () => {
  const ids = { name: "input_ids", type: "int64", shape: ["b", "s"] };
  const output = (name: string, ...shape: (string | number)[]) => ({ name, type: "float32", shape: ["b", ...shape] });
  const whole = output("sentence_embedding", 8);
  const tokenOutput = (...outputs: ReturnType<typeof output>[]) => {
    const io = decideModelIo([ids], [whole, ...outputs], { dimension: 8, pooledOnly: false });
    return io.kind === "usable" ? io.tokenOutput : io.rule;
  };
  expect(tokenOutput()).toBeNull();
  expect(tokenOutput(output("x", "s", 8))).toBe("x");
  expect(tokenOutput(output("x", "s", "size"), output("token_embeddings", "s", 8))).toBe("token_embeddings");
  expect(tokenOutput(output("x", "s", 16))).toBeNull();
  expect(tokenOutput(output("x", "s", 8), output("y", "s", 8))).toBeNull();
});
