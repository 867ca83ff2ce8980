import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookUpModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";
import { textRoutes } from "./text-routes.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
const model = "asymmetric";
let server: TestServing;
beforeAll(async () => {
  const averaging = {
    "model.onnx": lookUpModel(),
    "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_mean_tokens: true },
  };
  await writeModelDirectory(join(directory, model), {
    ...averaging,
    "config_sentence_transformers.json": { prompts: { query: "one ", passage: "two ", STS: "six " } },
  });
  await writeModelDirectory(join(directory, "bare"), averaging);
  await writeModelDirectory(join(directory, "sparse"), {
    "config.json": { ...bertConfig, architectures: ["BertForMaskedLM"], vocab_size: 4 },
    "modules.json": [
      { type: "sentence_transformers.sparse_encoder.models.MLMTransformer", path: "" },
      { type: "sentence_transformers.sparse_encoder.models.SpladePooling", path: "1_SpladePooling" },
    ],
    "1_SpladePooling/config.json": { pooling_strategy: "max", activation_function: "relu" },
    "onnx/model.onnx": lookUpModel({ output: "logits" }),
    "config_sentence_transformers.json": { prompts: { query: "four " } },
  });
  server = testServing({ modelDirectory: directory, aliases: { m: model } });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

/** Replaces the one text of a body. */
const withText = (body: object, text: string) => JSON.parse(JSON.stringify(body).replace('"a"', JSON.stringify(text)));
const kindRoutes = textRoutes.filter(({ kinds }) => kinds);

test.each(kindRoutes)(
  "$path puts the prompt of the texts' kind before them, and says which",
  async ({ path, body }) => {
    const isSparse = path === "/embed_sparse";
    // A longer text has a larger token somewhere, which is what this sparse model goes by.
    const prompts = isSparse
      ? { search_query: "four " }
      : { search_query: "one ", passage: "two ", similarity: "six " };
    const ask = async (text: string, more: object) => {
      const {
        body: answer,
        headers,
        status,
      } = await server.post(path, {
        ...withText(body, text),
        model: isSparse ? "sparse" : model,
        ...more,
      });
      expect({ ...more, status }).toEqual({ ...more, status: 200 });
      const { total_duration: _, usage: __, ...vectors } = answer;
      return { vectors: Array.isArray(answer) ? answer : vectors, prompt: headers.get("x-prompt-name") };
    };
    const plain = await ask("three", {});
    expect(plain.prompt).toBeNull();
    for (const [kind, prompt] of Object.entries(prompts)) {
      const asked = await ask("three", { input_type: kind });
      const expected = await ask(`${prompt}three`, {});
      expect(asked.vectors).toEqual(expected.vectors);
      expect(asked.vectors).not.toEqual(plain.vectors);
      expect(asked.prompt).toBe({ search_query: "query", passage: "passage", similarity: "STS" }[kind] as string);
    }
  },
);

test.each(kindRoutes)("$path refuses kinds without a prompt, and words that are none", async ({ path, body }) => {
  const name = path === "/embed_sparse" ? "sparse" : model;
  for (const [task, message] of [
    ["clustering", `task: expected a kind for which ${name} has a prompt (query, document`],
    ["frobnicate", "task: expected a kind of text (query, document"],
  ]) {
    const { status, body: answer } = await server.post(path, { ...body, model: name, task });
    const { error } = answer;
    expect(typeof error === "string" ? error : error.message).toStartWith(message as string);
    expect(status).toBe(400);
  }
});

test.each(kindRoutes)("$path refuses to cut texts sooner than the model does", async ({ path, body }) => {
  const name = path === "/embed_sparse" ? "sparse" : model;
  const ask = (more: object) => server.post(path, { ...body, model: name, ...more });
  expect((await ask({ truncate_prompt_tokens: 8192 })).status).toBe(200);
  const { status, body: answer } = await ask({ max_length: 64 });
  const { error } = answer;
  expect([status, typeof error === "string" ? error : error.message]).toEqual([
    400,
    `max_length: expected at least 512, the tokens that ${name} reads, got 64`,
  ]);
});

test("a model without prompts makes the same vector of every kind, and says that none was used", async () => {
  const ask = (more: object) => server.post("/v1/embeddings", { input: "three", model: "bare", ...more });
  const plain = await ask({});
  for (const input_type of ["query", "passage", "search_document", "classification"]) {
    const { body, headers, status } = await ask({ input_type });
    expect({ input_type, status, data: body["data"] }).toEqual({ input_type, status: 200, data: plain.body["data"] });
    expect(headers.get("x-prompt-name")).toBe("none");
  }
  expect((await ask({ input_type: "image" })).status).toBe(400);
});

test("Ollama's num_ctx is not below what the model reads", async () => {
  const ask = (num_ctx: number, name: string) =>
    server.post("/api/embed", { input: "three", model: name, options: { num_ctx, temperature: 0 } });
  expect((await ask(4096, model)).status).toBe(200);
  const { status, body } = await ask(64, `${model}:latest`);
  expect([status, body["error"]]).toEqual([
    400,
    `options.num_ctx: expected at least 512, the tokens that ${model} reads, got 64`,
  ]);
});
