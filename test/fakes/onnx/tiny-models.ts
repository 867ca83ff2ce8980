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

/** Adds to each token's row that of its position, which are counted from `first` on: of a text that is too long for the table, nothing is computed. */
export function positionedModel(positions: number, first: number): OnnxGraph {
  const { inputs, outputs, nodes, weights } = lookUpModel({ output: "looked" });
  return {
    inputs,
    outputs: outputs.map((output) => ({ ...output, name: "last_hidden_state" })),
    nodes: [
      ...nodes,
      { op: "CumSum", inputs: ["attention_mask", "axis"], outputs: ["counted"] },
      { op: "Add", inputs: ["counted", "before"], outputs: ["place"] },
      { op: "Gather", inputs: ["positions", "place"], outputs: ["placed"] },
      { op: "Add", inputs: ["looked", "placed"], outputs: ["last_hidden_state"] },
    ],
    weights: [
      ...weights,
      { name: "axis", dims: [1], type: "int64", values: [1] },
      { name: "before", dims: [1], type: "int64", values: [first - 1] },
      { name: "positions", dims: [positions, 4], values: new Array(positions * 4).fill(0.5) },
    ],
  };
}

/** Nodes that quantise numbers by their extremes in the whole batch, as `quantize_dynamic` has it. */
const quantise = (input: string, output: string): Node[] => [
  { op: "DynamicQuantizeLinear", inputs: [input], outputs: ["small", "scale", "zero"] },
  { op: "DequantizeLinear", inputs: ["small", "scale", "zero"], outputs: [output] },
];

/**
 * A model in which the texts of a batch change each other's vectors: its operators stand in the graph, in a branch or in a function; `sum` has
 * none of theirs and adds what all texts of the batch have in common.
 */
export function coupledModel(place: "graph" | "branch" | "function" | "sum", vocabulary = 30_522): OnnxGraph {
  const dimension = 8;
  const output: Tensor = { name: "last_hidden_state", type: "float32", shape: [...row, dimension] };
  const look: Node = { op: "Gather", inputs: ["table", "input_ids"], outputs: ["looked"] };
  // Tokens differ in direction, and a few are far larger than the others.
  const values = Array.from({ length: vocabulary * dimension }, (_, i) => {
    const token = Math.floor(i / dimension);
    return Math.sin(i * 12.9898) * (token % 97 === 5 ? 40 : 1);
  });
  const called: Record<typeof place, Node[]> = {
    graph: quantise("looked", output.name),
    branch: [
      {
        op: "If",
        inputs: ["yes"],
        outputs: [output.name],
        graphs: {
          then_branch: { outputs: [{ ...output, name: "then" }], nodes: quantise("looked", "then") },
          else_branch: {
            outputs: [{ ...output, name: "else" }],
            nodes: [{ op: "Identity", inputs: ["looked"], outputs: ["else"] }],
          },
        },
      },
    ],
    function: [{ op: "Small", domain: "local", inputs: ["looked"], outputs: [output.name] }],
    sum: [
      { op: "ReduceMean", inputs: ["looked"], outputs: ["common"], attributes: { axes: [0, 1], keepdims: 1 } },
      { op: "Add", inputs: ["looked", "common"], outputs: [output.name] },
    ],
  };
  return {
    inputs: [idsInput(), idsInput("attention_mask")],
    outputs: [output],
    nodes: [look, ...called[place]],
    weights: [
      { name: "table", dims: [vocabulary, dimension], values },
      ...(place === "branch" ? [{ name: "yes", dims: [1], type: "bool" as const, values: [1] }] : []),
    ],
    functions:
      place === "function" ? [{ name: "Small", inputs: ["in"], outputs: ["out"], nodes: quantise("in", "out") }] : [],
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
