import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { loadOnnxModel } from "#agent/serving/worker/onnx-model.ts";
import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { type OnnxGraph, onnxFile } from "../../../fakes/onnx/onnx-file.ts";
import { idsInput, lookUpModel, pairModel, tokenTable } from "../../../fakes/onnx/tiny-models.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
afterAll(() => rm(directory, { recursive: true }));

const load = (graph: OnnxGraph, pooling: ModelManifest["pooling"] = "mean", dimension = 4) =>
  loadOnnxModel(onnxFile(graph), { dimension, pooling, threads: 1 });

/** Token 5's vector is 5, 5.125, 5.25, 5.375, and so on. */
const vectorOf = (first: number) => [0, 1, 2, 3].map((i) => first + i / 8);
const texts = [Uint32Array.of(5, 6, 10), Uint32Array.of(9)];
const small = { vocabulary: 16 };

describe("token vectors are pooled, padding left out", () => {
  test.each([
    { pooling: "mean", expected: [7, 9] },
    { pooling: "cls", expected: [5, 9] },
    { pooling: "last-token", expected: [10, 9] },
    { pooling: "max", expected: [10, 9] },
  ] as const)("$pooling", async ({ pooling, expected }) => {
    const model = await load(lookUpModel(small), pooling);
    for (const padded of [3, 8]) {
      const vectors = await model.run(texts, padded);
      expect(vectors.map((vector) => [...vector])).toEqual(expected.map(vectorOf));
    }
  });
});

test.each([
  { name: "half precision", graph: lookUpModel({ ...small, type: "float16" }) },
  { name: "inputs of 32 bits", graph: lookUpModel({ ...small, inputs: [idsInput("input_ids", "int32")] }) },
  { name: "an output of another name", graph: lookUpModel({ ...small, output: "onnx::Shape_422" }) },
  { name: "no mask", graph: lookUpModel({ ...small, inputs: [idsInput()] }) },
  {
    name: "all inputs that are known",
    graph: lookUpModel({
      ...small,
      inputs: ["input_ids", "token_type_ids", "attention_mask", "position_ids"].map((name) => idsInput(name)),
    }),
  },
])("$name", async ({ graph }) => {
  const model = await load(graph);
  expect([...(await model.run(texts, 4))[0]!]).toEqual(vectorOf(7));
});

test("the mean by position counts the second token twice, the third three times", async () => {
  const [first, second] = await (await load(lookUpModel(small), "weighted-mean")).run(texts, 4);
  for (const i of [0, 1, 2, 3]) expect(first?.[i]).toBeCloseTo((5 + 2 * 6 + 3 * 10) / 6 + i / 8, 5);
  expect([...(second ?? [])]).toEqual(vectorOf(9));
});

test("the mean by length is the sum divided by the root of the number of tokens", async () => {
  const model = await load(lookUpModel(small), "mean-sqrt-length");
  const [first, second] = await model.run(texts, 4);
  for (const i of [0, 1, 2, 3]) expect(first?.[i]).toBeCloseTo((5 + 6 + 10 + (3 * i) / 8) / Math.sqrt(3), 5);
  expect([...(second ?? [])]).toEqual(vectorOf(9));
});

test("positions count from 0 in each text, or from the model's first one", async () => {
  const graph = lookUpModel({ ...small, inputs: [idsInput(), idsInput("position_ids")] });
  const byPosition = {
    ...graph,
    nodes: [{ op: "Gather", inputs: ["table", "position_ids"], outputs: ["last_hidden_state"] }],
  };
  const model = await load(byPosition, "last-token");
  expect((await model.run(texts, 3)).map((vector) => vector[0])).toEqual([2, 0]);
  const shifted = await loadOnnxModel(onnxFile(byPosition), {
    dimension: 4,
    pooling: "last-token",
    threads: 1,
    firstPosition: 2,
  });
  expect((await shifted.run(texts, 3)).map((vector) => vector[0])).toEqual([4, 2]);
});

test("an output that is pooled already is taken as it is", async () => {
  const graph = lookUpModel(small);
  const pooled: OnnxGraph = {
    ...graph,
    outputs: [...graph.outputs, { name: "sentence_embedding", type: "float32", shape: ["batch", 4] }],
    nodes: [
      ...graph.nodes,
      {
        op: "ReduceMax",
        inputs: ["last_hidden_state"],
        outputs: ["sentence_embedding"],
        attributes: { axes: [1], keepdims: 0 },
      },
    ],
  };
  const model = await load(pooled, "mean");
  expect((await model.run(texts, 3)).map((vector) => [...vector])).toEqual([vectorOf(10), vectorOf(9)]);
});

test("of a pair, the tokens of the second text have type 1 and their own ids", async () => {
  const model = await load(pairModel([1, 0], [0, 1]), "model", 2);
  const pair = Uint32Array.of(3, 4, asSecondText(5), asSecondText(6), asSecondText(7));
  const vectors = await model.run([pair, Uint32Array.of(8)], 8);
  expect(vectors.map((vector) => [...vector])).toEqual([
    [25, 3],
    [8, 0],
  ]);
});

test("weights in a file beside the ONNX file are found by its path", async () => {
  const table = Float32Array.from(tokenTable(16, 4));
  await Bun.write(join(directory, "model.onnx_data"), table);
  const values = { file: "model.onnx_data", offset: 0, bytes: table.byteLength };
  const path = join(directory, "model.onnx");
  await Bun.write(path, onnxFile(lookUpModel({ ...small, table: values })));
  const model = await loadOnnxModel(path, { dimension: 4, pooling: "cls", threads: 1 });
  expect([...(await model.run(texts, 3))[0]!]).toEqual(vectorOf(5));
});

test.each([
  {
    name: "another dimension",
    graph: lookUpModel({ ...small, dimension: 6 }),
    message: "expected vectors of 4 numbers",
  },
  {
    name: "an input that it can't feed",
    graph: lookUpModel({ ...small, inputs: [idsInput(), idsInput("pixel_values")] }),
    message: "got pixel_values",
  },
])("$name is refused at loading", async ({ graph, message }) => {
  await expect(load(graph)).rejects.toThrow(message);
});

test("a file that was cut short is refused at loading", async () => {
  const bytes = onnxFile(lookUpModel(small));
  const options = { dimension: 4, pooling: "mean", threads: 1 } as const;
  await expect(loadOnnxModel(bytes.subarray(0, bytes.byteLength - 40), options)).rejects.toThrow();
});
