import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { QuotaUse } from "#agent/access/quota-use.ts";
import { startGrpcClient } from "../serving/grpc/start-client.ts";
import { type TestServing, testServing } from "../serving/start-serving.ts";

setDefaultTimeout(60_000);

// A tenant that may use all models, with a key that may use one.
const scope = { models: ["only"], regions: null };
const key = "a-key-with-a-scope";
let server: TestServing;
beforeAll(async () => {
  const access = {
    required: true,
    identify: (text: string) =>
      text === key ? ({ tenant: "red", role: "embed", name: "key 1", scope } as const) : null,
    tenant: () => ({ tenant: "red", suspended: false, models: null, regions: null }),
    quotaUse: new QuotaUse({ load: () => null, save() {} }),
  };
  const config = { model: "none", requireKeys: true, grpc: { enabled: true, port: 0 } };
  server = testServing(config, { access });
  await server.serving.start();
});
afterAll(() => server.serving.stop());

const text = "whose";
/** Bodies of all routes that compute, or read texts, for tenants. */
const bodies: Readonly<Record<string, object>> = {
  "/api/v1/embed": { inputs: [text], model: "other" },
  "/v1/embeddings": { input: text, model: "other" },
  "/openai/v1/embeddings": { input: text, model: "other" },
  "/openai/deployments/{name}/embeddings": { input: text },
  "/api/embed": { input: text, model: "other" },
  "/api/embeddings": { prompt: text, model: "other" },
  "/": { inputs: text, model: "other" },
  "/embed": { inputs: text, model: "other" },
  "/embed_sparse": { inputs: text, model: "other" },
  "/embed_all": { inputs: text, model: "other" },
  "/similarity": { inputs: { source_sentence: text, sentences: [text] }, model: "other" },
  "/tokenize": { inputs: text, model: "other" },
  "/rerank": { query: text, texts: [text], model: "other" },
  "/v1/rerank": { query: text, documents: [text], model: "other" },
};

test("every route that tenants may post to obeys the models of a key", async () => {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const { paths } = (await (await fetch(`${server.serving.url}/openapi/json`, { headers })).json()) as {
    paths: Record<string, object>;
  };
  const answers: Record<string, string> = {};
  for (const path of Object.keys(paths).filter((each) => "post" in (paths[each] as object))) {
    const url = server.serving.url + path.replace("{name}", "other");
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(bodies[path] ?? {}) });
    const said = await answer.text();
    // Routes that tenants may not use at all are of another test.
    if (said.includes("this needs the role")) continue;
    answers[path] = said.includes("this key of tenant red may use only") ? "refused" : `${answer.status} ${said}`;
  }
  expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((path) => [path, "refused"])));
  expect(Object.keys(answers).sort()).toEqual(Object.keys(bodies).sort());
});

test("so does gRPC", async () => {
  const client = startGrpcClient(server.serving.grpcAddress as string);
  try {
    const asked = client.answer(
      "Embed",
      { inputs: [text], model: "other" },
      { metadata: { authorization: `Bearer ${key}` } },
    );
    await expect(asked).rejects.toThrow("model: this key of tenant red may use only");
  } finally {
    await client.stop();
  }
});
