import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openAiIds } from "#agent/serving/text/openai-ids.ts";
import { textRoutes } from "../http/text-routes.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

/** Ids as tiktoken's cl100k_base has them. */
const known = [
  { text: "Hello world", ids: [9906, 1917] },
  { text: "tiktoken is great!", ids: [83, 1609, 5963, 374, 2294, 0] },
  { text: "お誕生日おめでとう", ids: [33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699] },
  { text: "2 + 2 = 4", ids: [17, 489, 220, 17, 284, 220, 19] },
] as const;

test.each(known)("$text", async ({ text, ids }) => {
  expect((await openAiIds())(ids)).toBe(text);
});

test("every id of text stands for something, and no other id does", async () => {
  const decode = await openAiIds();
  for (let id = 0; id < 100_256; id += 1) if (!decode([id])) throw new Error(`${id} is nothing`);
  for (const id of [100_256, 100_257, 2 ** 31 - 1]) expect(decode([1, id])).toBeNull();
});

test("a character that a client has cut in two is U+FFFD on both sides", async () => {
  const decode = await openAiIds();
  const [, first, second] = known[2].ids;
  expect(decode([first, second])).toBe("誕");
  expect(decode([first])).toBe("\uFFFD");
});

describe("tokenIds: cl100k_base", () => {
  let server: TestServing;
  beforeAll(async () => {
    server = testServing({ tokenIds: "cl100k_base", aliases: { m: "all-MiniLM-L6-v2" } });
    await server.serving.start();
  });
  afterAll(() => server.serving.stop());

  const takesIds = textRoutes.filter(({ path }) =>
    [
      "/v1/embeddings",
      "/openai/v1/embeddings",
      "/openai/deployments/m/embeddings",
      "/embed",
      "/",
      "/embed_all",
    ].includes(path),
  );
  test.each(takesIds)("$path answers ids with the vector of their text", async ({ path, body }) => {
    const field = Object.keys(body)[0] as "input" | "inputs";
    const vectorsOf = ({ body: answer }: { body: Answer }) => answer["data"] ?? answer;
    const ask = (input: unknown) => server.post(path, { [field]: input });
    const texts = await ask(known.map(({ text }) => text));
    const ids = await ask(known.map(({ ids: each }) => each));
    expect([texts.status, ids.status]).toEqual([200, 200]);
    expect(vectorsOf(ids)).toEqual(vectorsOf(texts));
    expect(vectorsOf(await ask(known[0].ids))).toEqual(vectorsOf(await ask(known[0].text)));
    const { status, body: answer } = await ask([[9906], [100_257]]);
    const { error } = answer;
    expect([status, typeof error === "string" ? error : error.message]).toEqual([
      400,
      `${field}.1: expected ids of text in cl100k_base, as serving.tokenIds says, got others`,
    ]);
  });
});
