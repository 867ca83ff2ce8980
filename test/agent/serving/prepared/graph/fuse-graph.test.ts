import { describe, expect, test } from "bun:test";
import { attentionBiases, fuseGraph } from "#agent/serving/prepared/graph/fuse-graph.ts";
import type { JoinedConstant } from "#agent/serving/prepared/graph/graph-view.ts";
import { readGraph } from "#agent/serving/prepared/graph/onnx-graph.ts";
import { type EncoderForm, encoderModel } from "../../../../fakes/onnx/encoder-model.ts";
import { onnxFile } from "../../../../fakes/onnx/onnx-file.ts";

const graphOf = (form: EncoderForm) => readGraph(onnxFile(encoderModel(form)));
const place = { file: "joined.data", offset: 0, bytes: 1 };

function fuse(form: EncoderForm, plan: Partial<Parameters<typeof fuseGraph>[1]> = {}) {
  const joined: JoinedConstant[] = [];
  const fused = fuseGraph(graphOf(form), { attention: true, masks: new Set(), ...plan }, (constant) => {
    joined.push(constant);
    return place;
  });
  return { joined, nodes: fused?.nodes ?? [], constants: fused?.constants };
}
const operators = (form: EncoderForm, plan?: Partial<Parameters<typeof fuseGraph>[1]>) =>
  fuse(form, plan).nodes.map(({ operator }) => operator);

const forms: readonly EncoderForm[] = [
  {},
  { mask: "none" },
  { mask: "row" },
  { scale: "quotient" },
  { scale: "both" },
  { guarded: true },
  { gelu: "half-last" },
  { gelu: "half-of-sum" },
  { gelu: "product" },
];

describe("an encoder's layer becomes single operators", () => {
  test.each(forms)("%j", (form) => {
    const { nodes, joined, constants } = fuse(form);
    expect(nodes.map(({ operator }) => operator)).toEqual(
      expect.arrayContaining(["Gather", "Attention", "MatMul", "BiasGelu"]),
    );
    for (const gone of ["Softmax", "Erf", "Transpose", "IsNaN"])
      expect(nodes.map(({ operator }) => operator)).not.toContain(gone);
    const attention = nodes.find(({ operator }) => operator === "Attention");
    expect(attention?.ints.get("num_heads")).toBe(4);
    expect(attention?.floats.get("scale")).toBeCloseTo(8 ** -0.5, 6);
    expect(attention?.inputs[0]).toBe("h");
    expect(joined.map(({ parts }) => parts.map(({ name }) => name))).toEqual([
      ["q_weight", "k_weight", "v_weight"],
      ["q_bias", "k_bias", "v_bias"],
    ]);
    expect(constants?.get(attention?.inputs[1] ?? "")).toMatchObject({ shape: [32, 96], place });
    expect(constants?.get(attention?.inputs[2] ?? "")).toMatchObject({ shape: [96], place });
    expect(constants?.has("q_weight")).toBe(false);
  });

  test("with a mask of padding alone in the place of what is made of it", () => {
    const masks = new Set(attentionBiases(graphOf({})));
    expect(masks).toEqual(new Set(["rows"]));
    const { nodes } = fuse({}, { masks });
    expect(nodes.map(({ operator }) => operator)).toEqual(["Cast", "Gather", "Attention", "MatMul", "BiasGelu"]);
    expect(nodes[0]).toMatchObject({ inputs: ["attention_mask"], outputs: [nodes[2]?.inputs[3] ?? ""] });
  });

  test("without its attention where only the rest is wanted", () => {
    const found = operators({}, { attention: false });
    expect(found).toContain("Softmax");
    expect(found).toContain("BiasGelu");
  });
});

describe("what is not the same stays as it is", () => {
  test("an attention of two inputs", () => {
    expect(operators({ crossed: true })).toContain("Softmax");
    expect(operators({ crossed: true })).not.toContain("Attention");
  });

  test.each(["shares", "context", "by_token"])("%s that is a result of the model too is still computed", (alsoOut) => {
    expect(operators({ alsoOut })).toContain("Softmax");
  });

  test("nothing to replace", () => {
    const graph = graphOf({});
    const nodes = graph.nodes.filter(({ operator }) => operator !== "Softmax" && operator !== "Erf");
    expect(fuseGraph({ ...graph, nodes }, { attention: true, masks: new Set() }, () => place)).toBeNull();
  });
});
