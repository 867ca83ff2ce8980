import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookUpModel, tokenTable } from "../../../fakes/onnx/tiny-models.ts";
import { startGrpcClient } from "../grpc/start-client.ts";
import { writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";

/** A word of BERT's vocabulary, as the test below makes sure, whose vector is no number here. */
const robot = 8_957;
let directory: string;
let server: TestServing;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
  const table = tokenTable(30_522, 4);
  table.fill(Number.NaN, robot * 4, robot * 4 + 4);
  await writeModelDirectory(join(directory, "faulty"), { "model.onnx": lookUpModel({ table }) });
  server = testServing({ model: "faulty", modelDirectory: directory, grpc: { port: 0 } });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

const says = "faulty can't compute this text: its vector is all zeros, or holds values that are not numbers";

test.each([
  ["/v1/embeddings", { input: ["good", "a robot"] }, "input.1"],
  ["/v1/embeddings", { input: ["good", "a robot"], encoding_format: "base64" }, "input.1"],
  ["/v1/embeddings", { input: "a robot" }, "input.0"],
  ["/api/v1/embed", { inputs: ["robot", "good"] }, "inputs.0"],
  ["/embed", { inputs: ["good", "fine", "robot"] }, "inputs.2"],
  ["/embed_all", { inputs: ["good", "robot"] }, "inputs.1"],
  ["/similarity", { inputs: { source_sentence: "good", sentences: ["fine", "robot"] } }, "inputs.2"],
  ["/api/embed", { input: ["good", "robot"] }, "input.1"],
  ["/openai/deployments/faulty/embeddings", { input: ["good", "robot"] }, "input.1"],
])("%s %p names the model and the input", async (path, body, field) => {
  const { status, body: answer } = await server.post(path, body);
  const error = answer["error"];
  expect([status, error.message ?? error]).toEqual([500, `${field}: ${says}`]);
  // In the same words when it is known from before, and the other texts are computed.
  const again = (await server.post(path, body)).body["error"];
  expect(again.message ?? again).toBe(error.message ?? error);
  expect((await server.post("/embed", { inputs: ["good", "fine"] })).status).toBe(200);
});

test("over gRPC it is INTERNAL, in the same words", async () => {
  const client = startGrpcClient(server.serving.grpcAddress ?? "");
  try {
    const { code, details } = await client.failure("Embed", { inputs: ["good", "a robot"] });
    expect({ code, details }).toEqual({ code: 13, details: `inputs.1: ${says}` });
    expect((await client.answer("Embed", { inputs: ["good"] }))["embeddings"]).toHaveLength(1);
  } finally {
    await client.stop();
  }
});
