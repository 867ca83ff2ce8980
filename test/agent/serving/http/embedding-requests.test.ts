import { describe, expect, test } from "bun:test";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { azure, native, ollama, openAi, rerank, tei } from "./text-routes.ts";

const options = { model: "m", dimensions: 2, truncate: false, prompt_name: "query" };
const asOptions = { model: "m", dimensions: 2, truncate: false, promptName: "query" };

describe("token ids in place of texts", () => {
  test.each([
    ["one id", [5], [[5]]],
    ["ids of one text", [5, 6], [[5, 6]]],
    ["ids of several", [[5], [6, 7]], [[5], [6, 7]]],
    ["the last id there may be", [2 ** 31 - 1], [[2 ** 31 - 1]]],
  ])("%s", async (_name, inputs, expected) => {
    const { asked, post } = tei();
    expect((await post("/embed", { inputs })).answer.status).toBe(200);
    expect(asked[0]?.inputs as unknown).toEqual(expected);
  });

  test.each([
    ["nothing", []],
    ["an empty list of ids", [[]]],
    ["an id that no vocabulary has", [2 ** 31]],
    ["an id below zero", [-1]],
  ])("%s is refused", async (_name, inputs) => {
    const { asked, post } = tei();
    const { answer } = await post("/embed", { inputs });
    expect(answer.ok).toBe(false);
    expect(asked).toEqual([]);
  });
});

describe("a request reaches the embedder as it was asked, with tenant, latency budget and disconnection", () => {
  test.each([
    {
      name: "native",
      routes: native,
      path: "/api/v1/embed",
      body: { ...options, inputs: ["a", "b"] },
      expected: { ...asOptions, inputs: ["a", "b"], inputsField: "inputs" },
    },
    {
      name: "OpenAI",
      routes: openAi,
      path: "/v1/embeddings",
      body: { ...options, input: [[1, 2], [3]] },
      expected: { ...asOptions, inputs: [[1, 2], [3]], inputsField: "input" },
    },
    {
      name: "Azure",
      routes: azure,
      path: "/openai/deployments/org%2Fm/embeddings?api-version=2024-10-21",
      body: { ...options, model: "another", input: ["a"] },
      expected: { ...asOptions, model: "org/m", inputs: ["a"], inputsField: "input" },
    },
    {
      name: "Azure's v1 API",
      routes: azure,
      path: "/openai/v1/embeddings?api-version=preview",
      body: { ...options, input: "a" },
      expected: { ...asOptions, inputs: ["a"], inputsField: "input" },
    },
    {
      name: "Ollama",
      routes: ollama,
      path: "/api/embed",
      body: { model: "m:latest", input: "a", truncate: false, dimensions: 2, options: {}, keep_alive: "5m" },
      expected: { model: "m", truncate: false, dimensions: 2, inputs: ["a"], inputsField: "input" },
    },
    {
      name: "Ollama's former shape",
      routes: ollama,
      path: "/api/embeddings",
      body: { model: "m", prompt: "a", options: {}, keep_alive: -1 },
      expected: { model: "m", inputs: ["a"], inputsField: "prompt" },
    },
    {
      name: "TEI",
      routes: tei,
      path: "/embed",
      body: { ...options, inputs: "a" },
      expected: { ...asOptions, inputs: ["a"], inputsField: "inputs" },
    },
    {
      name: "TEI without a path",
      routes: tei,
      path: "/",
      body: { ...options, inputs: [1, 2] },
      expected: { ...asOptions, inputs: [[1, 2]], inputsField: "inputs" },
    },
    {
      name: "similarity",
      routes: tei,
      path: "/similarity",
      body: {
        model: "m",
        inputs: { source_sentence: "a", sentences: ["b", "c"] },
        parameters: { truncate: false, prompt_name: "query" },
      },
      expected: { ...asOptions, dimensions: undefined, inputs: ["a", "b", "c"], inputsField: "inputs" },
    },
    {
      name: "tokens",
      routes: tei,
      path: "/tokenize",
      body: { model: "m", inputs: "a", add_special_tokens: false },
      expected: { model: "m", inputs: ["a"], addSpecialTokens: false },
    },
    {
      name: "rerank",
      routes: rerank,
      path: "/rerank",
      body: { model: "m", query: "q", texts: ["a"], truncate: false },
      expected: { model: "m", inputs: [{ first: "q", second: "a" }], inputsField: "texts", truncate: false },
    },
    {
      name: "rerank in Cohere's shape",
      routes: rerank,
      path: "/v1/rerank",
      body: { query: "q", documents: ["a", { text: "b" }] },
      expected: {
        model: "first",
        inputs: [
          { first: "q", second: "a" },
          { first: "q", second: "b" },
        ],
        inputsField: "documents",
      },
    },
  ])("$name", async ({ routes, path, body, expected }) => {
    const { asked, post } = routes();
    const { answer, client } = await post(path, body, { "x-latency-budget": "250.5", "x-thormesh-hops": "1" });
    expect(answer.status).toBe(200);
    expect(asked).toMatchObject([{ ...expected, tenant: "red", latencyBudgetMs: 250.5, isPassedOn: true }]);
    expect(asked[0]?.signal.aborted).toBe(false);
    client.abort();
    expect(asked[0]?.signal.aborted).toBe(true);
  });

  test("without options, the embedder's defaults apply", async () => {
    const { asked, post } = native();
    await post("/api/v1/embed", { inputs: ["a"] });
    const { signal: _signal, ...rest } = asked[0] as EmbedRequest;
    expect(rest).toEqual({
      model: undefined,
      inputs: ["a"],
      inputsField: "inputs",
      dimensions: undefined,
      truncate: true,
      promptName: undefined,
      latencyBudgetMs: undefined,
      tenant: "red",
      isPassedOn: false,
    });
  });
});

test.each(["0", "-1", "1e3", "abc", "", "86400001", "1.2345", "999999999"])(
  "a latency budget of %j is refused, and nothing is computed",
  async (budget) => {
    const { asked, post } = native();
    const { answer } = await post("/api/v1/embed", { inputs: ["a"] }, { "x-latency-budget": budget });
    expect(answer.status).not.toBe(200);
    expect(asked).toEqual([]);
  },
);

test("vectors are normalised unless asked otherwise, and cut", async () => {
  const values = async (path: string, body: object, routes: typeof native) =>
    (await (await routes().post(path, body)).answer.json()) as unknown;
  // The vector is 0.5 four times.
  expect(await values("/embed", { inputs: "a" }, tei)).toEqual([[0.5, 0.5, 0.5, 0.5]]);
  expect(await values("/embed", { inputs: "a", dimensions: 1 }, tei)).toEqual([[1]]);
  expect(await values("/embed", { inputs: "a", dimensions: 1, normalize: false }, tei)).toEqual([[0.5]]);
  expect(await values("/api/v1/embed", { inputs: ["a"], dimensions: 1 }, native)).toMatchObject({ embeddings: [[1]] });
  expect(await values("/api/v1/embed", { inputs: ["a"], dimensions: 1, normalize: false }, native)).toMatchObject({
    embeddings: [[0.5]],
  });
  expect(await values("/v1/embeddings", { input: "a", dimensions: 1 }, openAi)).toMatchObject({
    data: [{ index: 0, embedding: [1] }],
  });
});
