import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readOperators } from "#agent/serving/models/files/onnx-operators.ts";
import { writePrepared } from "#agent/serving/prepared/write-prepared.ts";
import { loadOnnxModel } from "#agent/serving/worker/onnx-model.ts";
import { type EncoderForm, encoderModel, encoderWidth } from "../../../fakes/onnx/encoder-model.ts";
import { type OnnxGraph, onnxFile } from "../../../fakes/onnx/onnx-file.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-test-"));
afterAll(() => rmSync(directory, { recursive: true }));
let models = 0;

/** Prepares a model. @returns its path */
async function prepare(source: Uint8Array | string): Promise<string> {
  models += 1;
  const place = join(directory, String(models));
  mkdirSync(place);
  await writePrepared(source, place);
  expect(readdirSync(place).filter((name) => !name.startsWith("model.onnx"))).toEqual([]);
  return join(place, "model.onnx");
}

/** Texts of these lengths, none like another. */
const textsOf = (lengths: readonly number[], vocabulary: number) =>
  lengths.map((length, row) => Uint32Array.from({ length }, (_, i) => 1 + ((31 * row + 17 * i) % (vocabulary - 1))));

/** Largest difference of the vectors that two models compute for the same texts, with padding. */
async function difference(
  a: Uint8Array | string,
  b: Uint8Array | string,
  { dimension, vocabulary, lengths }: { dimension: number; vocabulary: number; lengths: readonly number[] },
): Promise<number> {
  const texts = textsOf(lengths, vocabulary);
  const vectors = [];
  for (const source of [a, b]) {
    const model = await loadOnnxModel(source, { dimension, pooling: "mean", threads: 2 });
    vectors.push(await model.run(texts, Math.max(...lengths)));
  }
  const [first = [], second = []] = vectors;
  return Math.max(...first.flatMap((vector, i) => Array.from(vector, (x, at) => Math.abs(x - (second[i]?.[at] ?? 9)))));
}

const fusedOf = (path: string) =>
  ["Attention", "BiasGelu", "Softmax", "Erf"].filter((operator) => readOperators(path).has(operator));

describe("the default model", () => {
  test("is computed by fewer operators, and its vectors stay what they were", async () => {
    const source = join(import.meta.dir, "../../../../models/all-MiniLM-L6-v2/model.onnx");
    const path = await prepare(source);
    expect(fusedOf(path)).toEqual(["Attention", "BiasGelu"]);
    for (const lengths of [[1], [16], [3, 64, 17], [256, 5]])
      expect(await difference(source, path, { dimension: 384, vocabulary: 30_000, lengths })).toBeLessThan(1e-5);
  });
});

describe("an encoder as other programs write it", () => {
  const batches = { dimension: encoderWidth, vocabulary: 15, lengths: [7, 1, 40] };
  const forms: readonly (EncoderForm & { fused: readonly string[] })[] = [
    { fused: ["Attention", "BiasGelu"] },
    { mask: "row", scale: "quotient", gelu: "half-last", fused: ["Attention", "BiasGelu"] },
    { mask: "none", scale: "both", gelu: "product", fused: ["Attention", "BiasGelu"] },
    { guarded: true, gelu: "half-of-sum", fused: ["Attention", "BiasGelu"] },
    { crossed: true, fused: ["BiasGelu", "Softmax"] },
  ];
  test.each(forms)("%j", async ({ fused, ...form }) => {
    const source = onnxFile(encoderModel(form));
    const path = await prepare(source);
    expect(fusedOf(path)).toEqual([...fused]);
    expect(await difference(source, path, batches)).toBeLessThan(1e-5);
  });

  /** Leaves a token no share of those more than so many places before it. */
  const windowed = (places: number): OnnxGraph => {
    const model = encoderModel({ mask: "row" });
    const number = (name: string, value: number, type: "int64" | "float32" = "int64") => ({
      name,
      dims: [],
      type,
      values: [value],
    });
    const add = model.nodes.findIndex(({ outputs }) => outputs[0] === "masked");
    const nodes = [
      { op: "Shape", inputs: ["attention_mask"], outputs: ["shape"] },
      { op: "Gather", inputs: ["shape", "index"], outputs: ["length"] },
      { op: "Range", inputs: ["from", "length", "step"], outputs: ["places"] },
      { op: "Unsqueeze", inputs: ["places", "last"], outputs: ["column"] },
      { op: "Sub", inputs: ["column", "places"], outputs: ["distance"] },
      { op: "Greater", inputs: ["distance", "window"], outputs: ["far"] },
      { op: "Where", inputs: ["far", "least", "zero"], outputs: ["banned"] },
      { op: "Add", inputs: ["row", "banned"], outputs: ["rows"] },
      { op: "Add", inputs: ["scores", "rows"], outputs: ["masked"] },
    ];
    const weights = [
      ...[number("index", 1), number("from", 0), number("step", 1), number("window", places)],
      { name: "last", dims: [1], type: "int64" as const, values: [1] },
    ];
    return {
      ...model,
      nodes: [...model.nodes.slice(0, add), ...nodes, ...model.nodes.slice(add + 1)],
      weights: [...model.weights, ...weights],
    };
  };

  test.each([0, 3, 500])("attention to no more than %d tokens before stays so", async (places) => {
    const source = onnxFile(windowed(places));
    const path = await prepare(source);
    expect(fusedOf(path)).toContain("Attention");
    const lengths = [700, 20];
    expect(await difference(source, path, { ...batches, lengths })).toBeLessThan(1e-5);
  });
});

test("a file that is no model is not prepared", async () => {
  const path = join(directory, "no-model.onnx");
  writeFileSync(path, "no model");
  expect(prepare(path)).rejects.toThrow();
});
