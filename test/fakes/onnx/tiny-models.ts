import type { ElementType, Node, OnnxGraph, Tensor, Weight } from "./onnx-file.ts";

/** Graphs small enough that a test knows their results. */

const row: Tensor["shape"] = ["batch", "sequence"];
export const idsInput = (name = "input_ids", type: ElementType = "int64"): Tensor => ({ name, type, shape: row });

/** Token vectors, one row per token. */
export const tokenTable = (vocabulary: number, dimension: number): number[] =>
  Array.from({ length: vocabulary * dimension }, (_, i) => {
    const token = Math.floor(i / dimension);
    return token + (i % dimension) / 8; // exact in half precision too
  });

/** Maps each token to its row of the table, regardless of the other tokens. */
export function lookUpModel(
  options: {
    readonly vocabulary?: number;
    readonly dimension?: number;
    readonly type?: "float32" | "float16";
    readonly output?: string;
    readonly inputs?: readonly Tensor[];
    readonly table?: Weight["values"];
  } = {},
): OnnxGraph {
  const { vocabulary = 30_522, dimension = 4, type = "float32", output = "last_hidden_state" } = options;
  return {
    inputs: options.inputs ?? [idsInput(), idsInput("attention_mask")],
    outputs: [{ name: output, type, shape: [...row, dimension] }],
    nodes: [{ op: "Gather", inputs: ["table", "input_ids"], outputs: [output] }],
    weights: [
      {
        name: "table",
        dims: [vocabulary, dimension],
        type,
        values: options.table ?? tokenTable(vocabulary, dimension),
      },
    ],
  };
}

/**
 * A cross-encoder: the output for a label is the sum over the tokens that are not padding of `ids × idFactors[label]`, and of
 * `typeFactors[label]` for each token of the second text.
 */
export function pairModel(idFactors: readonly number[], typeFactors: readonly number[]): OnnxGraph {
  const labels = idFactors.length;
  const inputs = ["input_ids", "attention_mask", "token_type_ids"].map((name) => idsInput(name));
  const toFloat: Node[] = inputs.map(({ name }) => ({
    op: "Cast",
    inputs: [name],
    outputs: [`${name}_f`],
    attributes: { to: 1 },
  }));
  return {
    inputs,
    outputs: [{ name: "logits", type: "float32", shape: ["batch", labels] }],
    weights: [
      { name: "id_factors", dims: [1, labels], values: idFactors },
      { name: "type_factors", dims: [1, labels], values: typeFactors },
      { name: "tokens_axis", dims: [1], type: "int64", values: [1] },
    ],
    nodes: [
      ...toFloat,
      { op: "Mul", inputs: ["input_ids_f", "attention_mask_f"], outputs: ["ids"] },
      { op: "Mul", inputs: ["token_type_ids_f", "attention_mask_f"], outputs: ["types"] },
      { op: "ReduceSum", inputs: ["ids", "tokens_axis"], outputs: ["id_sum"], attributes: { keepdims: 1 } },
      { op: "ReduceSum", inputs: ["types", "tokens_axis"], outputs: ["type_sum"], attributes: { keepdims: 1 } },
      { op: "MatMul", inputs: ["id_sum", "id_factors"], outputs: ["from_ids"] },
      { op: "MatMul", inputs: ["type_sum", "type_factors"], outputs: ["from_types"] },
      { op: "Add", inputs: ["from_ids", "from_types"], outputs: ["logits"] },
    ],
  };
}
