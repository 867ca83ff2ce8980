import type { Node, OnnxGraph, Weight } from "./onnx-file.ts";
import { idsInput } from "./tiny-models.ts";

/** Header entry of a tensor in a safetensors file: its bytes, counted from the end of the header. */
interface SafeTensor {
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * BERT as a graph whose weights stay where they are: in a safetensors file beside the ONNX file.
 * @param path the safetensors file
 * @param file how the ONNX file names it
 */
export async function bertModel(
  path: string,
  file: string,
  { layers, heads, hidden }: { readonly layers: number; readonly heads: number; readonly hidden: number },
): Promise<OnnxGraph> {
  const source = Bun.file(path);
  const headBytes = Number(new DataView(await source.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  const head = JSON.parse(await source.slice(8, 8 + headBytes).text()) as Record<string, SafeTensor>;
  const weights: Weight[] = [
    { name: "heads", dims: [4], type: "int64", values: [0, 0, heads, hidden / heads] },
    { name: "joined", dims: [3], type: "int64", values: [0, 0, hidden] },
    { name: "one", dims: [1], values: [1] },
    { name: "half", dims: [1], values: [0.5] },
    { name: "root_of_two", dims: [1], values: [Math.SQRT2] },
    { name: "scale", dims: [1], values: [1 / Math.sqrt(hidden / heads)] },
    { name: "far", dims: [1], values: [-1e9] },
    { name: "mask_axes", dims: [2], type: "int64", values: [1, 2] },
    { name: "first", dims: [1], type: "int64", values: [0] },
    { name: "tokens_axis", dims: [1], type: "int64", values: [1] },
  ];
  const nodes: Node[] = [];
  const weight = (name: string) => {
    const tensor = head[name];
    if (tensor === undefined) throw new Error(`${path} has no ${name}`);
    const [from, to] = tensor.data_offsets;
    if (!weights.some((each) => each.name === name))
      weights.push({ name, dims: tensor.shape, values: { file, offset: 8 + headBytes + from, bytes: to - from } });
    return name;
  };
  let made = 0;
  const add = (op: string, inputs: readonly string[], more: Pick<Node, "attributes" | "floats"> = {}) => {
    made += 1;
    const output = `${op}_${made}`;
    nodes.push({ op, inputs, outputs: [output], ...more });
    return output;
  };
  const linear = (input: string, name: string) => {
    const turned = add("Transpose", [weight(`${name}.weight`)], { attributes: { perm: [1, 0] } });
    return add("Add", [add("MatMul", [input, turned]), weight(`${name}.bias`)]);
  };
  const norm = (input: string, name: string) =>
    add("LayerNormalization", [input, weight(`${name}.weight`), weight(`${name}.bias`)], {
      attributes: { axis: 2 },
      floats: { epsilon: 1e-12 },
    });
  const split = (input: string, perm: readonly number[]) =>
    add("Transpose", [add("Reshape", [input, "heads"])], { attributes: { perm } });

  const words = add("Gather", [weight("embeddings.word_embeddings.weight"), "input_ids"]);
  const types = add("Gather", [weight("embeddings.token_type_embeddings.weight"), "token_type_ids"]);
  const length = add("Gather", [add("Shape", ["input_ids"]), "tokens_axis"]);
  const positions = add("Slice", [weight("embeddings.position_embeddings.weight"), "first", length, "first"]);
  let state = norm(add("Add", [add("Add", [words, types]), positions]), "embeddings.LayerNorm");
  const mask = add("Cast", [add("Unsqueeze", ["attention_mask", "mask_axes"])], { attributes: { to: 1 } });
  const away = add("Mul", [add("Sub", ["one", mask]), "far"]);
  for (let i = 0; i < layers; i += 1) {
    const layer = `encoder.layer.${i}`;
    const query = split(linear(state, `${layer}.attention.self.query`), [0, 2, 1, 3]);
    const key = split(linear(state, `${layer}.attention.self.key`), [0, 2, 3, 1]);
    const value = split(linear(state, `${layer}.attention.self.value`), [0, 2, 1, 3]);
    const scores = add("Add", [add("Mul", [add("MatMul", [query, key]), "scale"]), away]);
    const seen = add("MatMul", [add("Softmax", [scores], { attributes: { axis: 3 } }), value]);
    const together = add("Reshape", [add("Transpose", [seen], { attributes: { perm: [0, 2, 1, 3] } }), "joined"]);
    const attended = norm(
      add("Add", [linear(together, `${layer}.attention.output.dense`), state]),
      `${layer}.attention.output.LayerNorm`,
    );
    const wide = linear(attended, `${layer}.intermediate.dense`);
    const gate = add("Mul", [add("Add", [add("Erf", [add("Div", [wide, "root_of_two"])]), "one"]), "half"]);
    const narrow = linear(add("Mul", [wide, gate]), `${layer}.output.dense`);
    state = norm(add("Add", [narrow, attended]), `${layer}.output.LayerNorm`);
  }
  nodes.push({ op: "Identity", inputs: [state], outputs: ["last_hidden_state"] });
  return {
    inputs: [idsInput(), idsInput("attention_mask"), idsInput("token_type_ids")],
    outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "sequence", hidden] }],
    nodes,
    weights,
  };
}
