import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

let server: TestServing;
beforeAll(async () => {
  server = testServing({ maxInputs: 20 });
  await server.serving.start();
});
afterAll(() => server.serving.stop());

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(server.serving.url + path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const long = "conveyor ".repeat(400);

describe("POST /embed", () => {
  test("answers a text or several with vectors, as the other routes do", async () => {
    const one = (await (await post("/embed", { inputs: "one robot" })).json()) as number[][];
    const two = (await (await post("/embed", { inputs: ["two robots", "one robot"] })).json()) as number[][];
    const { body } = await server.post("/api/v1/embed", { inputs: ["one robot"] });
    expect([one.length, two.length, one[0]!.length]).toEqual([1, 2, 384]);
    expect(one[0]).toEqual(two[1]);
    expect(one[0]).toEqual(body["embeddings"][0]);
  });

  test("cuts vectors before it scales them", async () => {
    const [whole] = (await (await post("/embed", { inputs: "one robot", normalize: false })).json()) as number[][];
    const [cut] = (await (await post("/embed", { inputs: "one robot", dimensions: 8 })).json()) as number[][];
    const length = Math.hypot(...whole!.slice(0, 8));
    for (const [i, value] of cut!.entries()) expect(value).toBeCloseTo(whole![i]! / length, 5);
  });
});

describe("what clients of text-embeddings-inference send", () => {
  const hello = [101, 7592, 102];
  test.each([
    { name: "token ids", path: "/embed", body: { inputs: hello } },
    { name: "lists of token ids", path: "/embed", body: { inputs: [hello] } },
    { name: "to the address itself", path: "/", body: { inputs: ["hello"] } },
    {
      name: "null for what they have no value for",
      path: "/embed",
      body: { inputs: "hello", truncate: null, normalize: null, dimensions: null, prompt_name: null, model: null },
    },
    {
      name: "the direction in which texts are cut",
      path: "/",
      body: { inputs: "hello", truncate: true, truncation_direction: "Right", normalize: true },
    },
  ])("$name", async ({ path, body }) => {
    const [expected] = (await (await post("/embed", { inputs: "hello" })).json()) as number[][];
    const answer = await post(path, body);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([expected]);
  });

  test.each(["/embed", "/", "/v1/embeddings"])(
    "ids that may be another tokenizer's are refused with the client's setting: %s",
    async (path) => {
      // "Hello world" in OpenAI's cl100k_base, as LangChain's OpenAIEmbeddings sends it by default.
      for (const ids of [[9906, 1917], [[9906, 1917]], [hello, [9906, 1917]]]) {
        const answer = await post(path, path === "/v1/embeddings" ? { input: ids } : { inputs: ids });
        const text = await answer.text();
        expect([answer.status, text]).toEqual([400, expect.stringContaining("check_embedding_ctx_length=False")]);
      }
    },
  );

  test.each([
    {
      name: "the other direction",
      body: { inputs: "a", truncation_direction: "Middle" },
      message: 'truncation_direction: expected one of "Left", "Right", "left", "right", got "Middle"',
    },
    { name: "a mixture", body: { inputs: ["a", 1] }, message: /^inputs\.1: expected string, got 1$/ },
    {
      name: "an object",
      body: { inputs: { a: 1 } },
      message: /^inputs: expected a text, up to 20 texts, a list of token ids, or up to 20 such lists, .*got {"a":1}$/,
    },
    { name: "no number", body: { inputs: "a", dimensions: "8" }, message: 'dimensions: expected integer, got "8"' },
    { name: "an unknown field", body: { input: "a", inputs: "a" }, message: "input: unknown field" },
  ])("$name is refused in words", async ({ body, message }) => {
    const answer = await post("/embed", body);
    expect(answer.status).toBe(400);
    const { error, code } = (await answer.json()) as { error: string; code: string };
    expect(code).toBe("INVALID_REQUEST");
    expect(error).toMatch(message);
  });

  test("more than may come at once is too large", async () => {
    expect((await post("/embed", { inputs: new Array(21).fill("a") })).status).toBe(413);
  });
});

describe("a text that is too long", () => {
  test.each([
    { path: "/embed", body: { inputs: [long] }, refused: { truncate: false } },
    { path: "/api/v1/embed", body: { inputs: ["a", long] }, refused: { truncate: false } },
    { path: "/v1/embeddings", body: { input: long }, refused: { truncate: false } },
    {
      path: "/similarity",
      body: { inputs: { source_sentence: "a", sentences: [long] } },
      refused: { parameters: { truncate: false } },
    },
  ])("$path cuts it, or refuses it when told to", async ({ path, body, refused }) => {
    const cut = await post(path, body);
    expect(cut.status).toBe(200);
    if (path !== "/similarity") expect(cut.headers.get("x-truncated-inputs")).toBe("1");
    const answer = await post(path, { ...body, ...refused });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("expected at most 256 tokens");
  });
});

describe("the header x-latency-budget", () => {
  test.each(["0", "-5", "soon", "1e3", "", "99999999999", "NaN"])("%p is refused by name", async (value) => {
    const answer = await post("/api/v1/embed", { inputs: ["a"] }, { "x-latency-budget": value });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "INVALID_REQUEST",
      param: "x-latency-budget",
      error: expect.stringContaining("x-latency-budget: expected milliseconds"),
    });
  });

  test("ends the wait of its request", async () => {
    const texts = Array.from({ length: 20 }, (_, i) => `${i} ${"hall four ".repeat(120)}`);
    const answer = await post("/v1/embeddings", { input: texts }, { "x-latency-budget": "0.5" });
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      error: { code: "deadline_exceeded", message: "no answer within 0.5 ms" },
    });
  });

  test("is met by a request that has the time", async () => {
    expect((await post("/embed", { inputs: "a" }, { "x-latency-budget": "20000" })).status).toBe(200);
  });
});

describe("POST /tokenize", () => {
  test("names each text's tokens and where they stand", async () => {
    const answer = await post("/tokenize", { inputs: ["Robots' arms", "x"] });
    expect(await answer.json()).toEqual([
      [
        { id: 101, text: "[CLS]", special: true, start: null, stop: null },
        { id: 13507, text: "robots", special: false, start: 0, stop: 6 },
        { id: 1005, text: "'", special: false, start: 6, stop: 7 },
        { id: 2608, text: "arms", special: false, start: 8, stop: 12 },
        { id: 102, text: "[SEP]", special: true, start: null, stop: null },
      ],
      [
        expect.objectContaining({ id: 101 }),
        expect.objectContaining({ text: "x" }),
        expect.objectContaining({ id: 102 }),
      ],
    ]);
  });

  test("a long answer is the same, in parts", async () => {
    const text = "The conveyor’s 7 belts stopped, 机器人 too. ".repeat(300);
    const [[, first]] = (await (await post("/tokenize", { inputs: "belts" })).json()) as [[Answer, Answer]];
    const texts = (await (await post("/tokenize", { inputs: [text, "x", text] })).json()) as Answer[][];
    expect(texts.map((tokens) => tokens.length)).toEqual([texts[0]!.length, 3, texts[0]!.length]);
    expect(texts[0]!.length).toBeGreaterThan(4_000);
    expect(texts[2]).toEqual(texts[0] as Answer[]);
    const belts = texts[0]!.filter((token) => token["text"] === "belts");
    expect(belts.length).toBe(300);
    for (const token of belts) {
      expect(text.slice(token["start"], token["stop"])).toBe("belts");
      expect(token["id"]).toBe(first["id"]);
    }
  });

  test("leaves the special ones out when told to, and cuts nothing", async () => {
    const answer = await post("/tokenize", { inputs: "robot ".repeat(600), add_special_tokens: false });
    const [tokens] = (await answer.json()) as { special: boolean }[][];
    expect(tokens!.length).toBe(600);
    expect(tokens!.some(({ special }) => special)).toBe(false);
  });

  test.each([
    { name: "an empty list", body: { inputs: [] }, status: 400 },
    { name: "a number", body: { inputs: 3 }, status: 400 },
    { name: "more characters in all than may be", body: { inputs: Array(3).fill("a".repeat(70_000)) }, status: 413 },
    { name: "a text beyond all measure", body: { inputs: "a".repeat(100_001) }, status: 400 },
    { name: "an unknown model", body: { inputs: "a", model: "gpt" }, status: 404 },
    { name: "an unknown field", body: { inputs: "a", text: "b" }, status: 400 },
  ])("refuses $name", async ({ body, status }) => {
    expect((await post("/tokenize", body)).status).toBe(status);
  });
});

describe("POST /similarity", () => {
  test("is the cosine of the vectors of the other routes", async () => {
    const sentences = ["the machine halted", "apples are sweet", "the robot stopped"];
    const body = { inputs: { source_sentence: "the robot stopped", sentences } };
    const scores = (await (await post("/similarity", body)).json()) as number[];
    const vectors = (await (
      await post("/embed", { inputs: ["the robot stopped", ...sentences] })
    ).json()) as number[][];
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(dot(vectors[0]!, vectors[i + 1]!), 5);
    expect(scores[0]!).toBeGreaterThan(scores[1]!);
    expect(scores[2]!).toBeCloseTo(1, 6);
    expect(scores[2]!).toBeLessThanOrEqual(1);
  });

  test.each([
    { name: "no sentences", body: { inputs: { source_sentence: "a", sentences: [] } } },
    { name: "no source sentence", body: { inputs: { sentences: ["a"] } } },
    { name: "a list", body: { inputs: ["a", "b"] } },
  ])("refuses $name", async ({ body }) => {
    expect((await post("/similarity", body)).status).toBe(400);
  });
});

describe("what serves", () => {
  const get = (path: string) => fetch(server.serving.url + path);

  test("/info tells the model and its limits", async () => {
    expect(await (await get("/info")).json()).toMatchObject({
      model_id: "all-MiniLM-L6-v2",
      model_type: { embedding: { pooling: "mean" } },
      max_input_length: 256,
      max_client_batch_size: 20,
      version: "1.2.3",
    });
    expect((await get("/info?model=sentence-transformers/all-MiniLM-L6-v2")).status).toBe(200);
    expect((await get("/info?model=gpt")).status).toBe(404);
  });

  test.each(["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers%2Fall-MiniLM-L6-v2"])(
    "/v1/models/%s",
    async (id) => {
      const answer = await get(`/v1/models/${id}`);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ id: "all-MiniLM-L6-v2", object: "model" });
    },
  );

  test.each(["gpt", "%E0%A4%A", "a/b/c"])("/v1/models/%s is not there", async (id) => {
    const answer = await get(`/v1/models/${id}`);
    expect([400, 404]).toContain(answer.status);
    expect((await answer.json()) as object).toHaveProperty("error.code");
  });
});
