import type { Node, OnnxGraph, Weight } from "./onnx-file.ts";
import { idsInput } from "./tiny-models.ts";

const hidden = 16;
const heads = 2;
const size = hidden / heads;
/** Longer than any text of the tests. */
const positions = 128;

/** Numbers that look random and are the same everywhere: whole numbers of 31 bits, divided by a power of two. */
function numbers(count: number, seed: number, scale: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return ((state >> 8) / 2 ** 22 - 1) * scale;
  });
}

/**
 * A decoder as exporters for JavaScript write it: causal attention, positions as an input, caches of keys and values as inputs and outputs. The
 * vectors of its tokens are an output too.
 */
export function decoderModel(vocabulary = 30_522): OnnxGraph {
  const cache = (name: string, length: string) =>
    ({ name, type: "float32", shape: ["batch", heads, length, size] }) as const;
  const square = (name: string, seed: number): Weight => ({
    name,
    dims: [hidden, hidden],
    values: numbers(hidden ** 2, seed, 0.6),
  });
  const whole = (name: string, values: readonly number[]): Weight => ({
    name,
    dims: [values.length],
    type: "int64",
    values,
  });
  const nodes: Node[] = [];
  const add = (op: string, inputs: readonly string[], output: string, attributes: Node["attributes"] = {}) => {
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  add("Gather", ["tokens", "input_ids"], "token");
  add("Gather", ["places", "position_ids"], "place");
  add("Add", ["token", "place"], "state");
  for (const part of ["query", "key", "value"]) {
    add("MatMul", ["state", `${part}_weights`], `${part}_flat`);
    add("Reshape", [`${part}_flat`, "by_head"], `${part}_heads`);
    add("Transpose", [`${part}_heads`], `${part}_own`, { perm: [0, 2, 1, 3] });
  }
  for (const part of ["key", "value"])
    add("Concat", [`past_key_values.0.${part}`, `${part}_own`], `present.0.${part}`, { axis: 2 });
  add("Transpose", ["present.0.key"], "keys", { perm: [0, 1, 3, 2] });
  add("MatMul", ["query_own", "keys"], "raw_scores");
  // A token sees itself and those before it, padding left out.
  add("Shape", ["input_ids"], "shape");
  add("Gather", ["shape", "second"], "length");
  add("Concat", ["length", "length"], "lengths", { axis: 0 });
  add("ConstantOfShape", ["lengths"], "zeros");
  add("Add", ["zeros", "one"], "ones");
  add("Trilu", ["ones"], "before", { upper: 0 });
  add("Unsqueeze", ["attention_mask", "mask_axes"], "mask_whole");
  add("Cast", ["mask_whole"], "mask", { to: 1 });
  add("Mul", ["before", "mask"], "seen");
  add("Sub", ["one", "seen"], "unseen");
  add("Mul", ["unseen", "far"], "away");
  add("Add", ["raw_scores", "away"], "scores");
  add("Softmax", ["scores"], "shares", { axis: 3 });
  add("MatMul", ["shares", "present.0.value"], "mixed");
  add("Transpose", ["mixed"], "mixed_tokens", { perm: [0, 2, 1, 3] });
  add("Reshape", ["mixed_tokens", "joined"], "mixed_flat");
  add("MatMul", ["mixed_flat", "out_weights"], "out");
  add("Add", ["state", "out"], "last_hidden_state");
  return {
    inputs: [
      ...["input_ids", "attention_mask", "position_ids"].map((name) => idsInput(name)),
      ...["key", "value"].map((part) => cache(`past_key_values.0.${part}`, "past")),
    ],
    outputs: [
      { name: "last_hidden_state", type: "float32", shape: ["batch", "sequence", hidden] },
      ...["key", "value"].map((part) => cache(`present.0.${part}`, "total")),
    ],
    nodes,
    weights: [
      { name: "tokens", dims: [vocabulary, hidden], values: numbers(vocabulary * hidden, 1, 1) },
      { name: "places", dims: [positions, hidden], values: numbers(positions * hidden, 2, 0.5) },
      square("query_weights", 3),
      square("key_weights", 4),
      square("value_weights", 5),
      square("out_weights", 6),
      { name: "one", dims: [1], values: [1] },
      { name: "far", dims: [1], values: [-1e9] },
      whole("by_head", [0, 0, heads, size]),
      whole("joined", [0, 0, hidden]),
      whole("mask_axes", [1, 2]),
      whole("second", [1]),
    ],
  };
}
