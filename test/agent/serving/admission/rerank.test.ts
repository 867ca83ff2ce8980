import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pairModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

const config = (labels: Record<number, string>) => ({
  ...bertConfig,
  architectures: ["BertForSequenceClassification"],
  id2label: labels,
});
const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
let one: TestServing;
let three: TestServing;

beforeAll(async () => {
  await writeModelDirectory(join(directory, "one"), {
    "model.onnx": pairModel([1e-4], [0.5]),
    "config.json": config({ 0: "LABEL_0" }),
  });
  await writeModelDirectory(join(directory, "three"), {
    "onnx/model.onnx": pairModel([0, 1e-4, 2e-4], [0, 0, 0]),
    "config.json": config({ 0: "contradiction", 1: "entailment", 2: "neutral" }),
  });
  one = testServing({ model: "one", modelDirectory: directory });
  three = testServing({ model: "three", modelDirectory: directory });
  await Promise.all([one.serving.start(), three.serving.start()]);
});
afterAll(async () => {
  await Promise.all([one.serving.stop(), three.serving.stop()]);
  await rm(directory, { recursive: true });
});

// BERT's ids: [CLS] 101, [SEP] 102, a 1037, b 1038, c 1039. What the model adds up for "a" and "b":
// 101 + 1037 + 102 + 1038 + 102 = 2380, and two tokens of the second text ("b" and its [SEP]).
const logit = (ids: number, secondTokens: number) => ids * 1e-4 + secondTokens * 0.5;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const b = logit(2380, 2);
const c = logit(2381, 2);
const bcbc = logit(2380 + 1039 + 1038 + 1039, 5);

describe("POST /rerank", () => {
  test("ranks by score; pairs of other lengths in the batch change nothing", async () => {
    const { status, body } = await one.post("/rerank", { query: "a", texts: ["b", "b c b c", "c"] });
    expect(status).toBe(200);
    expect(body["map"]((row: { index: number }) => row.index)).toEqual([1, 2, 0]);
    for (const [place, expected] of [bcbc, c, b].entries()) expect(body[place].score).toBeCloseTo(sigmoid(expected), 5);
    expect(body[0].text).toBeUndefined();
  });

  test("raw scores and texts where they are asked for", async () => {
    const { body } = await one.post("/rerank", { query: "a", texts: ["b", "c"], raw_scores: true, return_text: true });
    expect(body).toEqual([
      { index: 1, text: "c", score: expect.closeTo(c, 5) },
      { index: 0, text: "b", score: expect.closeTo(b, 5) },
    ]);
  });

  test("equal scores stay in the order of the request", async () => {
    const { body } = await one.post("/rerank", { query: "a", texts: ["c", "b", "c", "b"] });
    expect(body["map"]((row: { index: number }) => row.index)).toEqual([0, 2, 1, 3]);
  });

  test("which text is the query matters", async () => {
    const ab = await one.post("/rerank", { query: "a", texts: ["b b"], raw_scores: true });
    const ba = await one.post("/rerank", { query: "b b", texts: ["a"], raw_scores: true });
    expect(ab.body[0].score - ba.body[0].score).toBeCloseTo(0.5, 4);
  });

  test("a pair that is too long is cut and said to be, or refused", async () => {
    const texts = ["b ".repeat(1000), "b"];
    const cut = await one.post("/rerank", { query: "a", texts, raw_scores: true });
    expect(cut.headers.get("x-truncated-inputs")).toBe("1");
    // 512 tokens: [CLS] a [SEP], then 508 times b and [SEP]
    expect(cut.body[0].score).toBeCloseTo(logit(101 + 1037 + 102 + 508 * 1038 + 102, 509), 2);
    const refused = await one.post("/rerank", { query: "a", texts, truncate: false });
    expect(refused.status).toBe(400);
    expect(refused.body["error"]).toContain("texts.0: expected at most 512 tokens");
  });

  test.each([
    { name: "no query", body: { texts: ["b"] }, message: "query" },
    { name: "no texts", body: { query: "a", texts: [] }, message: "texts" },
    { name: "an empty text", body: { query: "a", texts: [""] }, message: "texts" },
    { name: "texts that are none", body: { query: "a", texts: [1] }, message: "texts" },
    { name: "an unknown key", body: { query: "a", texts: ["b"], top_k: 1 }, message: "top_k" },
  ])("$name is an error that names it", async ({ body, message }) => {
    const answer = await one.post("/rerank", body);
    expect(answer.status).toBe(400);
    expect(answer.body["error"]).toContain(message);
  });
});

describe("POST /v1/rerank", () => {
  test("answers in Cohere's and Jina's shape", async () => {
    const documents = ["b", { text: "b c b c" }, "c"];
    const { status, body } = await one.post("/v1/rerank", { query: "a", documents, top_n: 2, return_documents: true });
    expect(status).toBe(200);
    expect(body).toEqual({
      model: "one",
      results: [
        { index: 1, relevance_score: expect.closeTo(sigmoid(bcbc), 5), document: { text: "b c b c" } },
        { index: 2, relevance_score: expect.closeTo(sigmoid(c), 5), document: { text: "c" } },
      ],
      usage: { prompt_tokens: 18, total_tokens: 18, truncated_inputs: 0 },
    });
  });

  test("fields of others are let through; errors are in OpenAI's shape", async () => {
    const fine = await one.post("/v1/rerank", { model: "one", query: "a", documents: ["b"], max_chunks_per_doc: 1 });
    expect(fine.body["results"]).toEqual([{ index: 0, relevance_score: expect.closeTo(sigmoid(b), 5) }]);
    const wrong = await one.post("/v1/rerank", { query: "a", documents: [] });
    expect([wrong.status, wrong.body["error"].param]).toEqual([400, "documents"]);
    const other = await one.post("/v1/rerank", { model: "other", query: "a", documents: ["b"] });
    expect([other.status, other.body["error"].code]).toEqual([404, "model_not_found"]);
  });
});

test("with several labels, the score is the share of the one that means relevant", async () => {
  const { body } = await three.post("/rerank", { query: "a", texts: ["b"] });
  const shares = [0, 0.238, 0.476].map(Math.exp);
  expect(body[0].score).toBeCloseTo(shares[1]! / (shares[0]! + shares[1]! + shares[2]!), 5);
});

test("beside an embedding model, a request without a model means the first cross-encoder, loaded when it is asked for", async () => {
  const both = testServing({ modelDirectory: directory });
  await both.serving.start();
  try {
    const ranked = await both.post("/v1/rerank", { query: "a", documents: ["b", "c"] });
    expect([ranked.status, ranked.body["model"]]).toEqual([200, "one"]);
    const embedded = await both.post("/api/v1/embed", { inputs: ["a"] });
    expect([embedded.status, embedded.body["model"]]).toEqual([200, "all-MiniLM-L6-v2"]);
    const { models } = (await (await fetch(`${both.serving.url}/models`)).json()) as Answer;
    expect(models.map(({ id, kind, dimension }: Answer) => [id, kind, dimension])).toEqual([
      ["all-MiniLM-L6-v2", "embedding", 384],
      ["one", "cross-encoder", 1],
      ["three", "cross-encoder", 3],
    ]);
  } finally {
    await both.serving.stop();
  }
});

test("a cross-encoder makes no vectors, and says what it is for", async () => {
  const native = await one.post("/api/v1/embed", { inputs: ["a"] });
  expect([native.status, native.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
  expect(native.body["error"]).toContain("expected an embedding model, got one, a cross-encoder");
  const openAi = await one.post("/v1/embeddings", { input: "a", model: "one" });
  expect([openAi.status, openAi.body["error"].param]).toEqual([400, "model"]);
});
