import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cosine } from "#agent/serving/models/files/fingerprint.ts";
import { loadOnnxModel } from "#agent/serving/worker/onnx-model.ts";
import { onnxFile } from "../../../fakes/onnx/onnx-file.ts";
import { coupledModel, idsInput, lookUpModel } from "../../../fakes/onnx/tiny-models.ts";
import { writeModelDirectory } from "../models/write-model-directory.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

const places = ["graph", "branch", "function", "sum"] as const;
const wide = { hidden_size: 8, architectures: ["BertModel"], model_type: "bert", max_position_embeddings: 512 };
const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
let server: TestServing;

/** A model that was exported for one text a run. */
const single = {
  ...lookUpModel(),
  inputs: ["input_ids", "attention_mask"].map((name) => ({ ...idsInput(name), shape: [1, "sequence"] })),
  outputs: [{ name: "last_hidden_state", type: "float32", shape: [1, "sequence", 4] }] as const,
};

beforeAll(async () => {
  for (const place of places)
    await writeModelDirectory(join(directory, place), { "model.onnx": coupledModel(place), "config.json": wide });
  await writeModelDirectory(join(directory, "single"), { "model.onnx": single });
  await writeModelDirectory(join(directory, "plain"), { "model.onnx": lookUpModel() });
  server = testServing({ model: "plain", modelDirectory: directory, cacheBytes: 0, oneThreadProcesses: 0 });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

const embed = async (model: string, inputs: readonly string[]): Promise<number[][]> => {
  const { status, body } = await server.post("/api/v1/embed", { model, inputs });
  expect([status, body["error"]]).toEqual([200, undefined]);
  return body["embeddings"];
};
const notesOf = async (id: string): Promise<string> => {
  const { models } = (await (await fetch(`${server.serving.url}/models`)).json()) as Answer;
  return models.find((model: Answer) => model["id"] === id).notes.join("\n");
};
/** Fifteen others, some with words of large numbers. */
const others = Array.from({ length: 15 }, (_, i) => `machine ${i} stands still and is waiting`);

describe("a model whose batch changes a text's vector", () => {
  test.each(places)("in a %s: it does change it when they are computed together", async (place) => {
    const model = await loadOnnxModel(onnxFile(coupledModel(place, 128)), {
      dimension: 8,
      pooling: "mean",
      threads: 1,
    });
    const text = Uint32Array.of(10, 11, 12);
    const [alone] = await model.run([text], 3);
    const [together] = await model.run([text, Uint32Array.of(5, 102, 5, 102)], 4);
    expect(cosine(alone as Float32Array, together as Float32Array)).toBeLessThan(0.9999);
  });

  test.each(places)("in a %s: each text is computed by itself", async (place) => {
    const [alone] = await embed(place, ["python"]);
    const [together] = await embed(place, ["python", ...others]);
    const [first] = await embed(place, [...others, "python"]).then((vectors) => [vectors.at(-1)]);
    for (const vector of [together, first])
      expect(cosine(Float32Array.from(alone!), Float32Array.from(vector!))).toBeGreaterThan(0.999999);
  });

  test.each([
    ["graph", "DynamicQuantizeLinear"],
    ["branch", "DynamicQuantizeLinear"],
    ["function", "DynamicQuantizeLinear"],
    ["sum", "depends on the other texts in its batch (cosine 0."],
    ["single", "can't be computed at once"],
  ])("in a %s: a note says so", async (place, says) => {
    await embed(place, ["python"]);
    const notes = await notesOf(place);
    expect(notes).toContain(says);
    expect(notes).toContain("each text is computed by itself");
  });

  test("one that takes a single text a run answers many", async () => {
    const vectors = await embed("single", ["python", ...others]);
    expect([vectors.length, vectors[0]]).toEqual([16, (await embed("single", ["python"]))[0]]);
  });

  test("a usual model has no such note", async () => {
    await embed("plain", ["python"]);
    expect(await notesOf("plain")).not.toContain("by itself");
  });
});
