import { describe, expect, test } from "bun:test";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { foreignFields, idleFields, refuseForeignFields } from "#agent/serving/http/refuse-foreign-fields.ts";
import { textKindFields, tokenLimitFields } from "#agent/serving/http/text-fields.ts";
import { textRoutes } from "./text-routes.ts";

/** Values with which clients of other servers ask for another answer. */
const asking: Readonly<Record<string, readonly unknown[]>> = {
  activation: [false],
  add_special_tokens: [false],
  embedding_types: [["float", "int8"], "binary"],
  encoding_format: ["int8", "hex"],
  instruction: ["Represent this"],
  late_chunking: [true],
  normalize: [false],
  output_dimension: [256],
  output_dtype: ["int8", "ubinary"],
  prompt: ["query: "],
  rank_fields: [["title"]],
  return_sparse: [true],
  stream: [true],
  top_k: [1],
  truncation: [false],
};
/** Fields that a route has of its own, or may not have without being asked. */
const own: Readonly<Record<string, readonly string[]>> = {
  "/v1/embeddings": ["encoding_format"],
  "/openai/v1/embeddings": ["encoding_format"],
  "/openai/deployments/m/embeddings": ["encoding_format"],
  "/api/v1/embed": ["normalize"],
  "/embed": ["normalize"],
  "/": ["normalize"],
  "/api/embeddings": ["prompt"],
  "/rerank": ["raw_scores"],
  "/tokenize": ["add_special_tokens"],
};

describe.each(textRoutes)("$path", ({ routes, path, body, kinds }) => {
  const { asked, post } = routes();
  const ask = async (more: object) => {
    asked.length = 0;
    const { answer } = await post(path, { ...body, ...more });
    const { error, param } = (await answer.json()) as { error?: string; param?: string };
    return { status: answer.status, message: error, param, asked: asked.length };
  };

  test("a field that asks for another answer is refused by its name, and nothing is computed", async () => {
    for (const [name, { neutral }] of Object.entries(foreignFields)) {
      if (own[path]?.includes(name)) continue;
      for (const value of [...(asking[name] ?? []), "something else", 7, { a: 1 }, [neutral[0], "other"]]) {
        const { message, ...rest } = await ask({ [name]: value });
        expect({ name, value, ...rest }).toEqual({ name, value, status: 400, param: name, asked: 0 });
        expect(message).toStartWith(`${name}: expected `);
      }
    }
  });

  test("one that changes nothing is left aside", async () => {
    for (const [name, { neutral }] of Object.entries(foreignFields)) {
      if (own[path]?.includes(name)) continue;
      for (const value of [null, ...neutral, ...(neutral.length === 0 ? [] : [[...neutral]])]) {
        expect({ name, value, ...(await ask({ [name]: value })) }).toMatchObject({ status: 200, asked: 1 });
      }
    }
    for (const name of idleFields)
      expect({ name, ...(await ask({ [name]: { any: ["value"] } })) }).toMatchObject({ status: 200, asked: 1 });
  });

  test("a field of the body in the address is refused, others there are not the route's matter", async () => {
    for (const name of [...Object.keys(body), "model", "normalize", "pooling"]) {
      const { answer } = await post(`${path}?${name}=a`, body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ param: name, error: expect.stringContaining("in the address") });
    }
    expect((await post(`${path}?api-version=2024-10-21`, body)).answer.status).toBe(200);
  });

  test("a field that nobody has is refused: it may be a slip of the pen", async () => {
    for (const name of ["frobnicate", "dimensionss", "normalise", "promptName", "inputType", "__proto__x"]) {
      const { message, ...rest } = await ask({ [name]: 4 });
      expect({ name, ...rest }).toMatchObject({ status: 400, asked: 0 });
      expect(message).toStartWith(`${name}: unknown field`);
    }
    const inherited = await post(
      path,
      JSON.parse(`${JSON.stringify(body).slice(0, -1)}, "__proto__": {"normalize": false}}`),
    );
    expect(inherited.answer.status).toBe(400);
  });

  test("what a client says of its texts' kind reaches the model, or is refused", async () => {
    for (const field of Object.keys(textKindFields)) {
      const { status, message } = await ask({ [field]: "search_query" });
      if (!kinds) {
        expect({ field, status }).toEqual({ field, status: 400 });
        expect(message).toStartWith(`${field}: unknown field`);
        continue;
      }
      expect({ field, status }).toEqual({ field, status: 200 });
      expect((asked[0] as EmbedRequest).textKinds).toEqual([{ field, value: "search_query" }]);
      expect((await ask({ [field]: 5 })).status).toBe(400);
      expect((await ask({ [field]: null })).status).toBe(200);
      expect((asked[0] as EmbedRequest).textKinds).toBeUndefined();
    }
  });

  test("lengths to which texts are to be cut reach the model, or are refused", async () => {
    const takes = kinds || path.endsWith("/rerank");
    for (const field of Object.keys(tokenLimitFields)) {
      const { status } = await ask({ [field]: 64 });
      expect({ field, status }).toEqual({ field, status: takes ? 200 : 400 });
      if (!takes) continue;
      expect((asked[0] as EmbedRequest).tokenLimits).toEqual([{ field, tokens: 64 }]);
      expect((await ask({ [field]: -1 })).status).toBe(200);
      expect((asked[0] as EmbedRequest).tokenLimits).toBeUndefined();
      for (const wrong of ["64", 1.5, -2]) expect((await ask({ [field]: wrong })).status).toBe(400);
    }
  });

  test("what becomes of long texts", async () => {
    if (path === "/tokenize") return expect((await ask({ truncate: false })).status).toBe(400);
    const within = (more: object) => (path === "/similarity" ? { parameters: more } : more);
    const cuts = async (more: object) => {
      const { status } = await ask(within(more));
      const { truncate, truncationSide } = asked[0] as EmbedRequest;
      return { status, truncate, side: truncationSide };
    };
    expect(await cuts({ truncate: false })).toEqual({ status: 200, truncate: false, side: undefined });
    expect(await cuts({ truncate: "NONE" })).toEqual({ status: 200, truncate: false, side: undefined });
    expect(await cuts({ truncate: "START" })).toMatchObject({ status: 200, side: "left" });
    expect(await cuts({ truncate: "END" })).toMatchObject({ status: 200, side: "right" });
    for (const wrong of [{ truncate: "MIDDLE" }, { truncate: 3 }, { truncation_direction: 5 }])
      expect({ ...wrong, ...(await ask(within(wrong))) }).toMatchObject({ status: 400, asked: 0 });
  });
});

test("the message says what was expected and what to do instead", () => {
  const refuse = (body: object) => () => refuseForeignFields(body, {});
  expect(refuse({ normalize: false })).toThrow("normalize: expected true, got false: vectors have length 1 here");
  expect(refuse({ dimension: 64 })).toThrow("dimension: expected none, got 64: dimensions cuts vectors");
  expect(refuse({ late_chunking: true })).toThrow("expected false, got true: each text is computed by itself");
  expect(() => refuseForeignFields({ normalize: false }, { normalize: {} })).not.toThrow();
  for (const value of [null, 5, "text"]) expect(() => refuseForeignFields(value, {})).not.toThrow();
  const body = { user: "u", normalize: true, input: "a" };
  refuseForeignFields(body, {});
  expect(body as object).toEqual({ input: "a" });
});

test("every foreign field is tried with a value that asks for another answer", () => {
  for (const name of Object.keys(asking)) expect(foreignFields).toHaveProperty(name);
});
