import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { couplingOperators } from "#agent/serving/models/files/batch-coupling.ts";
import { readOperators } from "#agent/serving/models/files/onnx-operators.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import { type OnnxGraph, onnxFile } from "../../../../fakes/onnx/onnx-file.ts";
import { coupledModel, lookUpModel } from "../../../../fakes/onnx/tiny-models.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
afterAll(() => rm(directory, { recursive: true }));

/** Weights before the nodes are what a reader has to pass over. */
const both = async (graph: OnnxGraph) => {
  const bytes = onnxFile(graph);
  const path = join(directory, "model.onnx");
  await Bun.write(path, bytes);
  const fromFile = readOperators(path);
  expect(readOperators(bytes)).toEqual(fromFile);
  return fromFile;
};

describe("operators of an ONNX file", () => {
  test.each([
    { place: "graph", operators: ["DequantizeLinear", "DynamicQuantizeLinear", "Gather"], coupling: true },
    {
      place: "branch",
      operators: ["DequantizeLinear", "DynamicQuantizeLinear", "Gather", "Identity", "If"],
      coupling: true,
    },
    { place: "function", operators: ["DequantizeLinear", "DynamicQuantizeLinear", "Gather", "Small"], coupling: true },
    { place: "sum", operators: ["Add", "Gather", "ReduceMean"], coupling: false },
  ] as const)("in a $place", async ({ place, operators, coupling }) => {
    const found = await both(coupledModel(place));
    expect([...found].sort()).toEqual([...operators]);
    expect(couplingOperators(found)).toEqual(coupling ? ["DynamicQuantizeLinear"] : []);
  });

  test("a name among the weights is no operator", async () => {
    const { nodes, weights, ...graph } = lookUpModel({ vocabulary: 4 });
    const named = weights.map((weight) => ({ ...weight, name: "DynamicQuantizeLinear" }));
    const renamed = nodes.map((node) => ({ ...node, inputs: ["DynamicQuantizeLinear", "input_ids"] }));
    expect([...(await both({ ...graph, nodes: renamed, weights: named }))]).toEqual(["Gather"]);
  });

  test("the model that the program carries has none that couple texts", async () => {
    const { modelPath } = await findModel("all-MiniLM-L6-v2", null);
    const operators = readOperators(modelPath);
    expect(operators.has("MatMul")).toBe(true);
    expect(couplingOperators(operators)).toEqual([]);
  });

  const whole = onnxFile(coupledModel("branch", 16));
  test("a file that is cut short, wherever, is no ONNX file or has fewer operators", () => {
    for (let length = 0; length < whole.length; length += 1) {
      const read = () => readOperators(whole.subarray(0, length));
      try {
        expect(read().size).toBeLessThanOrEqual(5);
      } catch (error) {
        expect(String(error)).toMatch(/field|number/);
      }
    }
  });

  test.each([
    { name: "an unknown wire type", bytes: [0x3b], message: "unknown wire type 3" },
    { name: "a number without an end", bytes: [0x08, ...new Array(11).fill(0xff)], message: "more than ten bytes" },
    { name: "a length beyond the end", bytes: [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], message: "beyond its message" },
    { name: "nothing but graphs", bytes: nested(70), message: "more than 64 deep" },
  ])("$name is refused", ({ bytes, message }) => {
    expect(() => readOperators(Uint8Array.from(bytes))).toThrow(message);
  });
});

/** A model whose graph has a node with a graph, and so on. */
function nested(depth: number): number[] {
  const wrap = (key: number, bytes: readonly number[]) => [
    key,
    (bytes.length & 127) | 128,
    bytes.length >> 7,
    ...bytes,
  ];
  let graph: number[] = [];
  for (let i = 0; i < depth; i += 1) graph = wrap(0x0a, wrap(0x2a, wrap(0x32, graph)));
  return wrap(0x3a, graph);
}
