import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { findModel } from "#agent/serving/models/find-model.ts";
import { onnxFile } from "../../../fakes/onnx/onnx-file.ts";
import { lookUpModel } from "../../../fakes/onnx/tiny-models.ts";
import { type TestServing, testServing } from "../start-serving.ts";
import { bertConfig, writeModelDirectory } from "./write-model-directory.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
const modules = ["", "1_Pooling", "2_Normalize"].map((path, idx) => ({
  idx,
  path,
  type: `sentence_transformers.models.${path.split("_")[1] ?? "Transformer"}`,
}));
const cls = { word_embedding_dimension: 4, pooling_mode_cls_token: true };
const metrics = new Registry();
let server: TestServing;

beforeAll(async () => {
  await writeModelDirectory(join(directory, "org", "prompted"), {
    "onnx/model.onnx": lookUpModel(),
    "modules.json": modules,
    "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_lasttoken: true },
    "config_sentence_transformers.json": { prompts: { query: "a ", document: "" } },
    "tokenizer_config.json": { model_max_length: 6 },
  });
  await writeModelDirectory(join(directory, "plain"), {
    "onnx/model.onnx": lookUpModel(),
    "onnx/model_fp16.onnx": lookUpModel({ type: "float16" }),
    "1_Pooling/config.json": cls,
  });
  await writeModelDirectory(join(directory, "no-pooling"), { "model.onnx": lookUpModel() });
  const bytes = onnxFile(lookUpModel());
  await writeModelDirectory(join(directory, "cut-short"), { "model.onnx": bytes.subarray(0, bytes.byteLength - 100) });
  await writeModelDirectory(join(directory, "other-tokenizer"), { "model.onnx": lookUpModel({ vocabulary: 1000 }) });
  await writeModelDirectory(join(directory, "other-dimension"), { "model.onnx": lookUpModel({ dimension: 5 }) });
  await writeModelDirectory(join(directory, "not-numbers"), {
    "model.onnx": lookUpModel({ table: new Array(30_522 * 4).fill(Number.NaN) }),
  });
  server = testServing({ model: "plain", modelDirectory: directory, requestTimeoutMs: 100_000 }, { metrics });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

const embed = (model: string, text: string, more: object = {}) =>
  server.post("/api/v1/embed", { model, inputs: [text], normalize: false, ...more });

test("only loaded models are watched, of all that are there, and their memory is in the metrics", async () => {
  expect(server.serving.watchedModels().map(({ id }) => id)).toEqual(["plain"]);
  expect(await metrics.metrics()).toMatch(/^thormesh_model_memory_bytes [1-9]\d+$/m);
});

test("a directory without manifest.json is served as its files say", async () => {
  const { status, body } = await embed("plain", "b");
  expect([status, body["embeddings"]]).toEqual([200, [[101, 101.125, 101.25, 101.375]]]); // of [CLS]
});

describe("findModel", () => {
  test("takes names with a slash, and reads nothing outside its places", async () => {
    expect((await findModel("org/prompted", directory)).manifest).toMatchObject({
      id: "org/prompted",
      pooling: "last-token",
      normalise: true,
      maxTokens: 6,
    });
    await expect(findModel("../plain", join(directory, "org"))).rejects.toThrow("was not found");
  });

  test("takes the file of the precision that is asked for", async () => {
    const choice = { architecture: "arm64", gpu: false } as const;
    const pathOf = async (precision: "auto" | "fp16") =>
      (await findModel("plain", directory, { ...choice, precision })).modelPath;
    expect(await pathOf("auto")).toBe(join(directory, "plain", "onnx/model.onnx"));
    expect(await pathOf("fp16")).toBe(join(directory, "plain", "onnx/model_fp16.onnx"));
    await expect(findModel("plain", directory, { ...choice, precision: "int8" })).rejects.toThrow(
      "expected an ONNX file of precision int8 for arm64, got onnx/model.onnx (fp32, any), onnx/model_fp16.onnx (fp16, any)",
    );
  });

  test("says what it assumed", async () => {
    expect((await findModel("no-pooling", directory)).notes).toEqual([
      "model.onnx (fp32): the only file",
      "1_Pooling/config.json does not exist: assuming mean pooling",
    ]);
  });

  test.each([
    { name: "JSON that is none", files: { "modules.json": "[" }, message: "modules.json can't be read" },
    { name: "no tokenizer", files: { "tokenizer.json": null }, message: "expected the file tokenizer.json" },
    { name: "no config.json", files: { "config.json": null }, message: "expected config.json" },
    {
      name: "another pooling",
      files: { "1_Pooling/config.json": { pooling_mode_attention: true } },
      message: "got pooling_mode_attention",
    },
    {
      name: "an unknown size",
      files: { "config.json": { ...bertConfig, hidden_size: "4" } },
      message: "expected hidden_size",
    },
  ])("$name is a usage error that names the directory", async ({ name, files, message }) => {
    const place = join(directory, "wrong", name);
    await writeModelDirectory(place, { "model.onnx": lookUpModel({ vocabulary: 4 }), ...files });
    const attempt = findModel(name, join(directory, "wrong"));
    await expect(attempt.catch((error) => `${error.message} ${error.cause?.message}`)).resolves.toContain(message);
    await expect(attempt).rejects.toThrow(place);
  });
});

describe("prompts and length", () => {
  const lastToken = async (text: string, more?: object) => {
    const { body } = await embed("org/prompted", text, more);
    return body["embeddings"]?.[0]?.[0] ?? body["error"];
  };

  test("a prompt is put before the text and counted; the closing token survives the cut", async () => {
    expect(await lastToken("b")).toBe(102); // [SEP]
    const usage = async (more: object) => (await embed("org/prompted", "b", more)).body["usage"].total_tokens;
    expect([await usage({}), await usage({ prompt_name: "query" }), await usage({ prompt_name: "document" })]).toEqual([
      3, 4, 3,
    ]);
    const long = await embed("org/prompted", "b b b b b b b", { prompt_name: "query" });
    expect([long.body["embeddings"][0][0], long.body["usage"]]).toEqual([
      102,
      { total_tokens: 6, truncated_inputs: 1, duration_ms: expect.any(Number) },
    ]);
  });

  test("a prompt that the model doesn't have is an error that lists those it has", async () => {
    expect(await lastToken("b", { prompt_name: "clustering" })).toContain('expected one of "query", "document"');
  });
});

describe("what is wrong with a model is said, and the others go on", () => {
  test.each([
    { id: "cut-short", message: /cut-short.*model\.onnx can't be loaded/ },
    {
      id: "other-tokenizer",
      message: /can't compute token 30521, which .*tokenizer\.json contains: do they belong to the same model/,
    },
    {
      id: "other-dimension",
      message: /expected vectors of 4 numbers, got last_hidden_state float32 \[batch, sequence, 5\]/,
    },
    { id: "not-numbers", message: /values that are not numbers/ },
  ])("$id", async ({ id, message }) => {
    const broken = await embed(id, "b");
    expect([broken.status, broken.body["code"]]).toEqual([503, "MODEL_UNAVAILABLE"]);
    expect(broken.body["error"]).toMatch(message);
    expect((await embed("plain", `beside ${id}`)).status).toBe(200);
  });
});
