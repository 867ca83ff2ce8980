import { describe, expect, test } from "bun:test";
import { readGraph, writeGraph } from "#agent/serving/prepared/graph/onnx-graph.ts";
import { encoderModel } from "../../../../fakes/onnx/encoder-model.ts";
import { onnxFile } from "../../../../fakes/onnx/onnx-file.ts";

const model = onnxFile(encoderModel());
const graph = readGraph(model);

describe("the graph of an ONNX file", () => {
  test("has the operators, their inputs and results, and the constants", () => {
    expect(graph.inputs).toEqual(new Set(["input_ids", "attention_mask"]));
    expect(graph.outputs).toEqual(new Set(["last_hidden_state"]));
    expect(graph.nodes.find(({ operator }) => operator === "Softmax")).toMatchObject({
      domain: "",
      inputs: ["masked"],
      outputs: ["shares"],
    });
    expect(graph.nodes.find(({ operator }) => operator === "Cast")?.ints).toEqual(new Map([["to", 1]]));
    expect(graph.constants.get("split")).toMatchObject({ shape: [4], isFloat32: false, numbers: [0, 0, 4, 8] });
    expect(graph.constants.get("half")).toMatchObject({ shape: [], isFloat32: true, numbers: [0.5] });
    expect(graph.constants.get("q_weight")?.numbers).toHaveLength(32 * 32);
  });

  test("is the same when it is written and read again", () => {
    const again = readGraph(writeGraph(model, graph));
    expect(again.nodes.length).toBe(graph.nodes.length);
    expect(again).toEqual(graph);
  });

  test("has what was added to it", () => {
    const node = {
      operator: "Gelu",
      domain: "com.microsoft",
      name: "n",
      inputs: ["x", "", "y"],
      outputs: ["z"],
      floats: new Map([["scale", 0.25]]),
      ints: new Map([["num_heads", 300]]),
    };
    const place = { file: "beside.data", offset: 65_536, bytes: 128 };
    const constant = { name: "w", shape: [4, 300], isFloat32: true, numbers: null, place };
    const written = writeGraph(model, { nodes: [node], constants: new Map([["w", constant]]) });
    const read = readGraph(written);
    expect(read.nodes).toMatchObject([node]);
    expect(read.constants.get("w")).toMatchObject(constant);
    expect(read.inputs).toEqual(graph.inputs);
  });

  test("may have another result", () => {
    expect(readGraph(writeGraph(model, graph, "rows")).outputs).toEqual(new Set(["rows"]));
  });

  test.each([
    { what: "a cut file", bytes: model.subarray(0, model.length - 3), reason: "ends" },
    { what: "an empty file", bytes: new Uint8Array(), reason: "has no graph" },
    { what: "text", bytes: new TextEncoder().encode("version https://git-lfs"), reason: "" },
  ])("is not read of $what", ({ bytes, reason }) => {
    expect(() => readGraph(bytes)).toThrow(reason);
  });
});
