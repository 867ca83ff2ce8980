import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pairModel } from "../../../fakes/onnx/tiny-models.ts";
import { type GrpcClient, startGrpcClient } from "../grpc/start-client.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";

let directory: string;
let server: TestServing;
let client: GrpcClient;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
  await writeModelDirectory(join(directory, "pairs"), {
    "model.onnx": pairModel([1e-4], [0.5]),
    "config.json": { ...bertConfig, architectures: ["BertForSequenceClassification"], id2label: { 0: "LABEL_0" } },
  });
  server = testServing({
    modelDirectory: directory,
    grpc: { enabled: true, host: null, port: null },
    apiKeys: [
      "plain-key",
      { key: "key-of-red", tenant: "red" },
      { key: "second-key", tenant: "red" },
      { key: "key-of-blue", tenant: "blue" },
    ],
  });
  await server.serving.start();
  client = startGrpcClient(server.serving.grpcAddress as string);
});
afterAll(async () => {
  await client.stop();
  await server.serving.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Entries in the traffic record for the requests that `ask` makes. */
async function recorded(ask: () => Promise<unknown>) {
  server.sink.served.length = 0;
  await ask();
  return server.sink.served.map(({ model, tenant }) => [model, tenant]);
}

async function post(path: string, key: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(server.serving.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

const mini = "all-MiniLM-L6-v2";
test.each([
  ["/api/v1/embed", { inputs: ["native"] }, mini],
  ["/v1/embeddings", { model: mini, input: "openai" }, mini],
  ["/embed", { inputs: "tei" }, mini],
  ["/similarity", { inputs: { source_sentence: "a", sentences: ["similar"] } }, mini],
  ["/rerank", { query: "a", texts: ["b", "c"] }, "pairs"],
  ["/v1/rerank", { query: "a", documents: ["d"] }, "pairs"],
])("%s charges the tenant of its key", async (path, body, model) => {
  expect(await recorded(() => post(path, "key-of-red", body))).toEqual([[model, "red"]]);
});

test("gRPC charges the tenant of its key", async () => {
  const call = (key: string) => () =>
    client.answer("Embed", { inputs: ["by gRPC"] }, { metadata: { authorization: `Bearer ${key}` } });
  expect(await recorded(call("key-of-blue"))).toEqual([[mini, "blue"]]);
  expect(await recorded(call("plain-key"))).toEqual([[mini, "default"]]);
});

test.each([
  ["a second key of the same tenant", "second-key", {}, "red"],
  ["a key that is no tenant's", "plain-key", {}, "default"],
  ["what a client says of itself", "key-of-blue", { "x-tenant": "red", "x-thormesh-tenant": "red" }, "blue"],
] as const)("%s", async (_name, key, headers, tenant) => {
  expect(await recorded(() => post("/api/v1/embed", key, { inputs: ["whose"] }, headers))).toEqual([[mini, tenant]]);
});

test("a request without a valid key is refused and charged to no tenant", async () => {
  expect(
    await recorded(async () => expect(await post("/api/v1/embed", "red", { inputs: ["none"] })).toBe(401)),
  ).toEqual([]);
});

/** Returns for each request whether its vectors were computed for it. */
const computed = () => server.sink.served.map(({ tenant, computeMs }) => [tenant, computeMs > 0]);

test("a tenant's own repeated text is answered from the cache, and computed once while it is asked for at once", async () => {
  await recorded(async () => {
    for (const key of ["key-of-red", "second-key"])
      await post("/api/v1/embed", key, { inputs: ["asked for by red first"] });
  });
  expect(computed()).toEqual([
    ["red", true],
    ["red", false],
  ]);
  await recorded(() =>
    Promise.all(
      ["key-of-red", "second-key"].map((key) => post("/api/v1/embed", key, { inputs: ["asked for twice at once"] })),
    ),
  );
  expect(
    computed()
      .map(([, own]) => own)
      .sort(),
  ).toEqual([false, true]);
});

/** All routes on which an answer could be kept for another tenant. */
const twins = [
  ["/api/v1/embed", (text: string) => ({ inputs: [text] })],
  ["/v1/embeddings", (text: string) => ({ model: mini, input: text })],
  ["/v1/embeddings", (text: string) => ({ model: mini, input: [101, 2023, 2003, text.length + 1000, 1037, 102] })],
  ["/embed", (text: string) => ({ inputs: text })],
  ["/similarity", (text: string) => ({ inputs: { source_sentence: text, sentences: [`${text} again`] } })],
  ["/rerank", (text: string) => ({ query: text, texts: ["b", "c"] })],
  ["/v1/rerank", (text: string) => ({ query: text, documents: ["d"] })],
] as const;
const keysOfTwo = ["key-of-red", "key-of-blue"] as const;
test.each(twins.map(([path, body], index) => ({ path, body, text: `only red asked this ${"x".repeat(index)}` })))(
  "$path: what one tenant asked is computed again for another, one after the other and at once",
  async ({ path, body, text }) => {
    await recorded(async () => {
      for (const key of keysOfTwo) expect(await post(path, key, body(text))).toBe(200);
    });
    expect(computed()).toEqual([
      ["red", true],
      ["blue", true],
    ]);
    await recorded(() => Promise.all(keysOfTwo.map((key) => post(path, key, body(`${text} at once`)))));
    expect(computed().map(([, own]) => own)).toEqual([true, true]);
  },
);

test("a key of two tenants is refused at the start", async () => {
  const twice = testServing({
    apiKeys: [
      { key: "key-of-two", tenant: "red" },
      { key: "key-of-two", tenant: "blue" },
    ],
  });
  try {
    await expect(twice.serving.start()).rejects.toThrow(
      "expected a separate key for each tenant, got one for both red and blue",
    );
  } finally {
    await twice.serving.stop();
  }
});
