import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GrpcClient, startGrpcClient } from "../grpc/start-client.ts";
import { cosine, readReferenceTexts } from "../reference-texts.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

/** Every route for vectors: its body with these texts, the name of the second one in an error, and the second vector of an answer. */
const routes: readonly {
  readonly path: string;
  readonly body: (texts: readonly string[]) => object;
  readonly field: string;
  readonly second: (answer: Answer) => number[];
}[] = [
  { path: "/api/v1/embed", body: (inputs) => ({ inputs }), field: "inputs.1", second: (a) => a["embeddings"][1] },
  { path: "/v1/embeddings", body: (input) => ({ input }), field: "input.1", second: (a) => a["data"][1].embedding },
  {
    path: "/openai/deployments/all-MiniLM-L6-v2/embeddings",
    body: (input) => ({ input }),
    field: "input.1",
    second: (a) => a["data"][1].embedding,
  },
  {
    path: "/openai/v1/embeddings",
    body: (input) => ({ input }),
    field: "input.1",
    second: (a) => a["data"][1].embedding,
  },
  { path: "/api/embed", body: (input) => ({ input }), field: "input.1", second: (a) => a["embeddings"][1] },
  { path: "/embed", body: (inputs) => ({ inputs }), field: "inputs.1", second: (a) => a[1] },
  {
    path: "/embed_all",
    body: (inputs) => ({ inputs }),
    field: "inputs.1",
    second: (a) => a[1][0].map((first: number, i: number) => (first + a[1][1][i]) / 2),
  },
  { path: "/", body: (inputs) => ({ inputs }), field: "inputs.1", second: (a) => a[1] },
];
const texts = ["one robot", ""];

describe.each(["refuse", "embed"] as const)("emptyTexts: %s", (emptyTexts) => {
  let server: TestServing;
  let client: GrpcClient;
  let reference: Float32Array;
  beforeAll(async () => {
    server = testServing({ emptyTexts, grpc: { enabled: true, host: null, port: null } });
    await server.serving.start();
    client = startGrpcClient(server.serving.grpcAddress as string);
    // The reference's tokenizer makes of a blank what it makes of an empty text: special tokens alone.
    reference = (await readReferenceTexts()).find(({ text }) => text === " ")?.vector as Float32Array;
  });
  afterAll(async () => {
    await client.stop();
    await server.serving.stop();
  });

  test.each(routes)("$path", async ({ path, body, field, second }) => {
    const answer = await server.post(path, body(texts));
    if (emptyTexts === "embed") {
      expect(answer.status).toBe(200);
      expect(cosine(second(answer.body), reference)).toBeGreaterThan(0.98);
      return;
    }
    expect(answer.status).toBe(400);
    const { error } = answer.body;
    const message = typeof error === "string" ? error : error.message;
    expect(message).toBe(`${field}: expected string of at least 1 character, got ""`);
  });

  test("a text alone, and a similarity", async () => {
    const expected = emptyTexts === "embed" ? 200 : 400;
    expect((await server.post("/v1/embeddings", { input: "" })).status).toBe(expected);
    const inputs = { source_sentence: "one robot", sentences: ["two robots", ""] };
    const { status, body } = await server.post("/similarity", { inputs });
    expect(status).toBe(expected);
    if (expected === 400) expect(body["param"]).toBe("inputs.sentences.1");
  });

  test("gRPC", async () => {
    if (emptyTexts === "embed") {
      const { embeddings } = await client.answer("Embed", { inputs: texts });
      expect(cosine(embeddings[1].values, reference)).toBeGreaterThan(0.98);
    } else expect((await client.failure("Embed", { inputs: texts })).metadata["param"]).toBe("inputs.1");
  });
});
