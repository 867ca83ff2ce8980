import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookUpModel, pairModel } from "../../../fakes/onnx/tiny-models.ts";
import { type GrpcClient, startGrpcClient } from "../grpc/start-client.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";
import { textRoutes } from "./text-routes.ts";

/** Words `up` and `down`, and the tokens `<known>` and `<lost>` that it adds; it puts no special tokens around a text. */
const tokenizer = (more: object = {}) => ({
  added_tokens: [
    { id: 4, content: "<known>", special: true, normalized: false },
    { id: 5, content: "<lost>", special: true, normalized: false },
    { id: 6, content: "<gone>", special: true, normalized: false },
  ],
  pre_tokenizer: { type: "WhitespaceSplit" },
  model: { type: "WordLevel", vocab: { up: 0, down: 1, "[UNK]": 2, left: 3 }, unk_token: "[UNK]" },
  ...more,
});
/** Rows for the ids 0 to 4. */
const rows = 5;
const files = {
  "tokenizer.json": tokenizer(),
  "model.onnx": lookUpModel({ vocabulary: rows }),
  "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_mean_tokens: true },
};
const spladeModules = ["MLMTransformer", "SpladePooling"].map((type) => ({
  type: `sentence_transformers.sparse_encoder.models.${type}`,
  path: type === "SpladePooling" ? "1_SpladePooling" : "",
}));
const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
/** Model of each route. */
const modelOf = (path: string) => (path === "/embed_sparse" ? "sparse" : path.endsWith("/rerank") ? "ranker" : "m");

await writeModelDirectory(join(directory, "words"), files);
await writeModelDirectory(join(directory, "sparse"), {
  ...files,
  "config.json": { ...bertConfig, architectures: ["BertForMaskedLM"], vocab_size: 4 },
  "modules.json": spladeModules,
  "1_SpladePooling/config.json": { pooling_strategy: "max", activation_function: "relu" },
  "model.onnx": lookUpModel({ vocabulary: rows, output: "logits" }),
});
await writeModelDirectory(join(directory, "ranker"), {
  ...files,
  "model.onnx": pairModel([1], [0]),
  "config.json": { ...bertConfig, architectures: ["BertForSequenceClassification"], num_labels: 1 },
});
const around = { SpecialToken: { id: "<lost>", type_id: 0 } };
await writeModelDirectory(join(directory, "of-two"), {
  ...files,
  "tokenizer.json": tokenizer({
    post_processor: {
      type: "TemplateProcessing",
      single: [around, { Sequence: { id: "A", type_id: 0 } }],
      pair: [around, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
      special_tokens: { "<lost>": { id: "<lost>", ids: [5], tokens: ["<lost>"] } },
    },
  }),
});
afterAll(() => rm(directory, { recursive: true }));

const withText = (body: object, text: string) => JSON.parse(JSON.stringify(body).replace('"a"', JSON.stringify(text)));
const errorOf = (answer: Answer): string =>
  typeof answer["error"] === "string" ? answer["error"] : answer["error"]?.message;
const routes = textRoutes.filter(({ path }) => path !== "/tokenize");

describe.each(["refuse", "embed"] as const)("emptyTexts: %s", (emptyTexts) => {
  let server: TestServing;
  let client: GrpcClient;
  beforeAll(async () => {
    server = testServing({
      ...{ emptyTexts, model: "words", modelDirectory: directory, aliases: { m: "words" } },
      grpc: { enabled: true, host: null, port: null },
    });
    await server.serving.start();
    client = startGrpcClient(server.serving.grpcAddress as string);
  });
  afterAll(async () => {
    await client.stop();
    await server.serving.stop();
  });

  test.each(routes)("$path: a text without any token", async ({ path, body }) => {
    const model = modelOf(path);
    const isPair = model === "ranker";
    const more = isPair ? { query: " " } : {};
    const { status, body: answer } = await server.post(path, { ...withText(body, "  "), ...more, model });
    if (emptyTexts === "refuse" || isPair) {
      expect(errorOf(answer)).toMatch(
        /^(in)?(prompt|put|puts|texts|documents)\.0: expected a text with at least one token of (words|sparse|ranker)'s vocabulary, got one without$/,
      );
      expect(status).toBe(400);
      return;
    }
    expect(status).toBe(200);
    const zeros = [0, 0, 0, 0];
    const expected: Record<string, unknown> = {
      "/embed": [zeros],
      "/": [zeros],
      "/embed_all": [[]],
      "/embed_sparse": [[]],
      "/similarity": [0],
    };
    expect(expected[path] ?? zeros).toEqual(
      Array.isArray(answer)
        ? answer
        : (answer["embedding"] ?? answer["embeddings"]?.[0] ?? answer["data"]?.[0].embedding),
    );
  });

  test("beside others, whose vectors are theirs", async () => {
    const { status, body } = await server.post("/v1/embeddings", { input: ["left", "   ", "up"] });
    if (emptyTexts === "refuse")
      return expect([status, body["error"].message]).toEqual([400, expect.stringContaining("input.1: ")]);
    const [left, blank, up] = body["data"].map(({ embedding }: Answer) => embedding);
    const alone = (await server.post("/v1/embeddings", { input: "left" })).body["data"][0].embedding;
    expect([left, blank]).toEqual([alone, [0, 0, 0, 0]]);
    expect(up).not.toEqual(left);
  });

  test("gRPC", async () => {
    const call = { inputs: ["up", " "] };
    if (emptyTexts === "embed")
      expect((await client.answer("Embed", call))["embeddings"][1].values.map(Number)).toEqual([0, 0, 0, 0]);
    else expect((await client.failure("Embed", call)).metadata["param"]).toBe("inputs");
  });

  test.each(routes)("$path: a token that the model's file has no row for is named", async ({ path, body }) => {
    const model = modelOf(path);
    // A model that takes any number as it is.
    if (model === "ranker") return;
    for (const [text, id] of [
      ["up <lost> up", 5],
      ["<gone>", 6],
    ] as const) {
      const { status, body: answer } = await server.post(path, { ...withText(body, text), model });
      const name = text.match(/<\w+>/)?.[0];
      expect(errorOf(answer)).toMatch(/^\w+\.0: expected tokens that (words|sparse) can compute, got /);
      expect(errorOf(answer)).toContain(`got "${name}" (id ${id}), which its tokenizer adds`);
      expect(status).toBe(400);
    }
    expect((await server.post(path, { ...withText(body, "up <known>"), model })).status).toBe(200);
  });

  test("the model's notes say so", async () => {
    const { models } = (await (await fetch(`${server.serving.url}/models`)).json()) as Answer;
    const { notes } = models.find(({ id }: Answer) => id === "words");
    expect(notes.join("\n")).toContain('can\'t compute: "<lost>" (id 5) and 1 more; texts with one are refused');
  });

  test("a tokenizer that puts such a token around every text is refused at load", async () => {
    const { status, body } = await server.post("/embed", { inputs: "up", model: "of-two" });
    expect(status).toBe(503);
    expect(errorOf(body)).toContain('model.onnx can\'t compute token "<lost>" (id 5)');
    expect(errorOf(body)).toContain("tokenizer.json puts around every text");
  });
});

test("token ids of such tokens are refused too", async () => {
  const server = testServing({ model: "words", modelDirectory: directory, tokenIds: "own" });
  await server.serving.start();
  try {
    const { status, body } = await server.post("/v1/embeddings", { input: [0, 5] });
    expect([status, body["error"].message]).toEqual([400, expect.stringContaining('"<lost>" (id 5)')]);
    expect((await server.post("/v1/embeddings", { input: [0, 4] })).status).toBe(200);
  } finally {
    await server.serving.stop();
  }
});
