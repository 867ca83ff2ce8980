import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookUpModel, pairModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
/** Each value of a vector is the mean of the tokens' ids, and more; it reads four tokens. */
const averaging = {
  "model.onnx": lookUpModel(),
  "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_mean_tokens: true },
};
let server: TestServing;
beforeAll(async () => {
  await writeModelDirectory(join(directory, "right"), {
    ...averaging,
    "tokenizer_config.json": { model_max_length: 4 },
  });
  await writeModelDirectory(join(directory, "left"), {
    ...averaging,
    "tokenizer_config.json": { model_max_length: 4, truncation_side: "left" },
  });
  await writeModelDirectory(join(directory, "ranker"), {
    "model.onnx": pairModel([1], [0]),
    "config.json": { ...bertConfig, architectures: ["BertForSequenceClassification"], num_labels: 1 },
    "tokenizer_config.json": { model_max_length: 7 },
  });
  server = testServing({ modelDirectory: directory });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

const ids = { one: 2028, two: 2048, three: 2093, four: 2176 };
const mean = (first: number, second: number) => (101 + first + second + 102) / 4;
const post = async (path: string, body: object) => {
  const answer = await server.post(path, body);
  expect(answer.status).toBe(200);
  return answer;
};

test.each([
  ["right", undefined, mean(ids.one, ids.two)],
  ["right", "Right", mean(ids.one, ids.two)],
  ["right", "Left", mean(ids.three, ids.four)],
  ["right", "left", mean(ids.three, ids.four)],
  ["left", undefined, mean(ids.three, ids.four)],
  ["left", null, mean(ids.three, ids.four)],
  ["left", "Right", mean(ids.one, ids.two)],
] as const)("a model that cuts at the %s, asked for %s", async (model, direction, expected) => {
  const body = { model, inputs: ["one two three four"], normalize: false, truncation_direction: direction };
  for (const path of ["/embed", "/"]) {
    const answer = await post(path, body);
    expect(answer.body[0][0]).toBe(expected);
    expect(answer.headers.get("x-truncated-inputs")).toBe("1");
  }
  const { normalize: _, ...unpooled } = body;
  const all = (await post("/embed_all", unpooled)).body[0];
  expect(all[1][0]).toBe(expected === mean(ids.one, ids.two) ? ids.one : ids.three);
});

test("routes without a direction cut at the model's side", async () => {
  const native = await post("/api/v1/embed", { model: "left", inputs: ["one two three four"], normalize: false });
  expect(native.body["embeddings"][0][0]).toBe(mean(ids.three, ids.four));
  const tokens = [101, ids.one, ids.two, ids.three, ids.four, 102];
  const openAi = await post("/v1/embeddings", { model: "left", input: tokens });
  const text = await post("/v1/embeddings", { model: "left", input: "three four" });
  expect(openAi.body["data"][0].embedding).toEqual(text.body["data"][0].embedding);
});

test("/similarity and /rerank take it too", async () => {
  const inputs = { source_sentence: "one two three four", sentences: ["three four", "one two"] };
  const similarity = async (truncation_direction: string) =>
    (await post("/similarity", { model: "right", inputs, parameters: { truncation_direction } })).body;
  expect((await similarity("Left"))[0]).toBeCloseTo(1, 6);
  expect((await similarity("Right"))[1]).toBeCloseTo(1, 6);
  const score = async (truncation_direction: string) =>
    (
      await post("/rerank", {
        model: "ranker",
        query: "one",
        texts: ["one two three four"],
        raw_scores: true,
        truncation_direction,
      })
    ).body[0].score;
  const special = 101 + 102 + 102;
  expect(await score("Right")).toBe(special + ids.one + ids.one + ids.two + ids.three);
  expect(await score("Left")).toBe(special + ids.one + ids.two + ids.three + ids.four);
});
