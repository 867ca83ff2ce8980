import type { Node, OnnxGraph, Weight } from "./onnx-file.ts";
import { idsInput } from "./tiny-models.ts";

/** Forms in which programs write the same encoder. */
export interface EncoderForm {
  /** Added to the scores: each text's own [sequence, sequence], one row for all tokens of a text, or nothing. */
  readonly mask?: "square" | "row" | "none";
  /** Place of the scale: after the product, as a quotient, or half of it on both sides. */
  readonly scale?: "after" | "quotient" | "both";
  /** Shares that are not numbers are replaced by 0. */
  readonly guarded?: boolean;
  /** Order of the factors of the Gaussian error linear unit. */
  readonly gelu?: "half-first" | "half-last" | "half-of-sum" | "product";
  /** The third matrix is of another input than the others. */
  readonly crossed?: boolean;
  /** Another name of the softmax's result is a result of the model too, or of the unit's sum. */
  readonly alsoOut?: string;
}

const vocabulary = 16;
export const encoderWidth = 32;
const headSize = 8;
const heads = encoderWidth / headSize;

/** Numbers between -0.5 and 0.5 that differ from each other. */
const numbers = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => ((Math.sin(seed * 97 + i * 12.9898) * 43_758.5453) % 1) / 2);

const matrix = (name: string, seed: number): Weight => ({
  name,
  dims: [encoderWidth, encoderWidth],
  values: numbers(encoderWidth ** 2, seed),
});
const list = (name: string, seed: number): Weight => ({
  name,
  dims: [encoderWidth],
  values: numbers(encoderWidth, seed),
});
const number = (name: string, value: number): Weight => ({ name, dims: [], values: [value] });
const ints = (name: string, ...values: number[]): Weight => ({ name, dims: [values.length], type: "int64", values });

const projection = (part: string, x: string): Node[] => [
  { op: "MatMul", inputs: [x, `${part}_weight`], outputs: [`${part}_product`] },
  { op: "Add", inputs: [`${part}_bias`, `${part}_product`], outputs: [`${part}_sum`] },
  { op: "Reshape", inputs: [`${part}_sum`, "split"], outputs: [`${part}_split`] },
];

function scores(scale: EncoderForm["scale"]): Node[] {
  if (scale === "both")
    return [
      { op: "Mul", inputs: ["q", "root"], outputs: ["q_scaled"] },
      { op: "Mul", inputs: ["root", "k"], outputs: ["k_scaled"] },
      { op: "MatMul", inputs: ["q_scaled", "k_scaled"], outputs: ["scores"] },
    ];
  const [op, by] = scale === "quotient" ? ["Div", "divisor"] : ["Mul", "factor"];
  return [
    { op: "MatMul", inputs: ["q", "k"], outputs: ["qk"] },
    { op, inputs: ["qk", by], outputs: ["scores"] },
  ];
}

/** Large negative numbers for padding. */
function masking(mask: EncoderForm["mask"]): Node[] {
  if (mask === "none") return [];
  const row: Node[] = [
    { op: "Cast", inputs: ["attention_mask"], outputs: ["counted"], attributes: { to: 1 } },
    { op: "Sub", inputs: ["one", "counted"], outputs: ["padding"] },
    { op: "Mul", inputs: ["padding", "least"], outputs: ["added"] },
    { op: "Unsqueeze", inputs: ["added", "inner_axes"], outputs: ["row"] },
  ];
  if (mask === "row") return [...row, { op: "Add", inputs: ["scores", "row"], outputs: ["masked"] }];
  return [
    ...row,
    { op: "Shape", inputs: ["attention_mask"], outputs: ["shape"] },
    { op: "Gather", inputs: ["shape", "second"], outputs: ["length"] },
    { op: "Concat", inputs: ["ones", "length", "ones_1"], outputs: ["square"], attributes: { axis: 0 } },
    { op: "Expand", inputs: ["row", "square"], outputs: ["rows"] },
    { op: "Add", inputs: ["scores", "rows"], outputs: ["masked"] },
  ];
}

function gelu(form: EncoderForm["gelu"], output: string): Node[] {
  const start: Node[] = [
    { op: "Div", inputs: ["x", "root_of_two"], outputs: ["angle"] },
    { op: "Erf", inputs: ["angle"], outputs: ["erf"] },
    { op: "Add", inputs: ["one", "erf"], outputs: ["sum"] },
  ];
  const products: Record<NonNullable<EncoderForm["gelu"]>, readonly [string, string, string, string]> = {
    "half-first": ["x", "half", "half_x", "sum"],
    "half-last": ["x", "sum", "x_sum", "half"],
    "half-of-sum": ["half", "sum", "half_sum", "x"],
    product: ["sum", "x", "sum_x", "half"],
  };
  const [a, b, between, c] = products[form ?? "half-first"];
  return [
    ...start,
    { op: "Mul", inputs: [a, b], outputs: [between] },
    { op: "Mul", inputs: [between, c], outputs: [output] },
  ];
}

/** An encoder of one layer: attention of four heads, and a Gaussian error linear unit. */
export function encoderModel(form: EncoderForm = {}): OnnxGraph {
  const { mask = "square", scale, guarded = false, alsoOut } = form;
  const output = "last_hidden_state";
  const shares: Node[] = guarded
    ? [
        { op: "IsNaN", inputs: ["shares"], outputs: ["no_numbers"] },
        { op: "Where", inputs: ["no_numbers", "zero", "shares"], outputs: ["safe"] },
      ]
    : [];
  return {
    inputs: [idsInput(), idsInput("attention_mask")],
    outputs: [
      { name: output, type: "float32", shape: ["batch", "sequence", encoderWidth] },
      ...(alsoOut === undefined ? [] : [{ name: alsoOut, type: "float32" as const, shape: ["a", "b", "c", "d"] }]),
    ],
    nodes: [
      { op: "Gather", inputs: ["table", "input_ids"], outputs: ["h"] },
      { op: "Mul", inputs: ["h", "half"], outputs: ["other"] },
      ...["q", "k"].flatMap((part) => projection(part, "h")),
      ...projection("v", form.crossed === true ? "other" : "h"),
      { op: "Transpose", inputs: ["q_split"], outputs: ["q"], attributes: { perm: [0, 2, 1, 3] } },
      { op: "Transpose", inputs: ["k_split"], outputs: ["k"], attributes: { perm: [0, 2, 3, 1] } },
      { op: "Transpose", inputs: ["v_split"], outputs: ["v"], attributes: { perm: [0, 2, 1, 3] } },
      ...scores(scale),
      ...masking(mask),
      { op: "Softmax", inputs: [mask === "none" ? "scores" : "masked"], outputs: ["shares"] },
      ...shares,
      { op: "MatMul", inputs: [guarded ? "safe" : "shares", "v"], outputs: ["context"] },
      { op: "Transpose", inputs: ["context"], outputs: ["by_token"], attributes: { perm: [0, 2, 1, 3] } },
      { op: "Reshape", inputs: ["by_token", "joined"], outputs: ["attended"] },
      { op: "MatMul", inputs: ["attended", "o_weight"], outputs: ["o"] },
      { op: "Add", inputs: ["o", "o_bias"], outputs: ["x"] },
      ...gelu(form.gelu, output),
    ],
    weights: [
      { name: "table", dims: [vocabulary, encoderWidth], values: numbers(vocabulary * encoderWidth, 1) },
      ...["q", "k", "v", "o"].flatMap((part, i) => [matrix(`${part}_weight`, i + 2), list(`${part}_bias`, i + 7)]),
      ints("split", 0, 0, heads, headSize),
      ints("joined", 0, 0, encoderWidth),
      ints("inner_axes", 1, 2),
      ints("ones", 1, 1),
      ints("ones_1", 1),
      ints("second", 1),
      number("factor", headSize ** -0.5),
      number("divisor", headSize ** 0.5),
      number("root", headSize ** -0.25),
      number("root_of_two", Math.SQRT2),
      number("least", -3e38),
      number("zero", 0),
      number("half", 0.5),
      number("one", 1),
    ],
  };
}
