import { type GraphView, ownDomain } from "./graph-view.ts";
import type { Constant, GraphNode } from "./onnx-graph.ts";

/** One of the three parts of an attention, made of its input: x × weight + bias. */
interface Projection {
  readonly x: string;
  readonly weight: Constant;
  readonly bias: Constant;
  /** Product of the numbers by which it is multiplied afterwards. */
  readonly scale: number;
  /** Shape into which it is brought: its last number is the size of a head. */
  readonly shapes: readonly string[];
}

/** Operators that bring numbers into another order or shape. */
const reshaping = new Set(["Reshape", "Transpose", "Identity", "Squeeze", "Unsqueeze"]);
/** Longest way from a projection to the product that uses it. */
const maxSteps = 12;

/** Follows a value back to its projection. */
function projectionOf(from: string | undefined, view: GraphView): Projection | undefined {
  let value = from;
  let scale = 1;
  const shapes: string[] = [];
  for (let step = 0; step < maxSteps; step += 1) {
    const node = view.maker(value);
    if (node === undefined) return undefined;
    if (reshaping.has(node.operator)) {
      if (node.operator === "Reshape") shapes.push(node.inputs[1] ?? "");
      value = node.inputs[0];
      continue;
    }
    const scaled = node.operator === "Mul" || node.operator === "Div" ? view.scaled(node) : undefined;
    if (scaled === undefined) return biased(node, scale, shapes, view);
    scale *= node.operator === "Mul" ? scaled.by : 1 / scaled.by;
    value = scaled.value;
  }
  return undefined;
}

function biased(add: GraphNode, scale: number, shapes: readonly string[], view: GraphView): Projection | undefined {
  const bias = add.inputs.map((input) => view.constant(input)).find((constant) => constant?.shape.length === 1);
  const product = view.maker(add.inputs.find((input) => input !== bias?.name));
  const [x = "", weightName] = product?.inputs ?? [];
  const weight = view.constant(weightName);
  if (add.operator !== "Add" || product?.operator !== "MatMul" || bias === undefined || weight === undefined)
    return undefined;
  const [rows, columns] = weight.shape;
  const isSquare = weight.shape.length === 2 && rows === columns && bias.shape[0] === columns;
  const isStored = [weight, bias].every((each) => each.isFloat32 && (each.place ?? each.numbers) !== null);
  return isSquare && isStored ? { x, weight, bias, scale, shapes } : undefined;
}

/** Returns the size of a head: the last number of the shape that a projection has first. */
function headSize({ shapes }: Projection, view: GraphView): number | undefined {
  const shape = shapes.at(-1);
  const last = (value: string | undefined) => view.constant(value)?.numbers?.at(-1);
  const maker = view.maker(shape);
  return last(shape) ?? (maker?.operator === "Concat" ? last(maker.inputs.at(-1)) : undefined);
}

interface Scores {
  readonly query: string | undefined;
  readonly key: string | undefined;
  readonly scale: number;
  /** Added to the scores: which tokens count. */
  readonly bias: string;
}

/** Returns the node that multiplies two matrices to make a value; undefined where something else makes it. */
function productOf(value: string | undefined, view: GraphView): GraphNode | undefined {
  const node = view.maker(value);
  return node?.operator === "MatMul" || (node?.operator === "FusedMatMul" && node.domain === ownDomain)
    ? node
    : undefined;
}

/** Follows the scores back: (query × key) × scale + bias. */
function scoresOf(from: string | undefined, view: GraphView): Scores | undefined {
  let node = view.maker(from);
  let bias = "";
  if (node?.operator === "Add") {
    const [a, b] = node.inputs;
    const aIsProduct = scaledProduct(a, view) !== undefined;
    bias = (aIsProduct ? b : a) ?? "";
    node = view.maker(aIsProduct ? a : b);
  }
  const found = scaledProduct(node?.outputs[0], view);
  if (found === undefined) return undefined;
  const [query, key] = found.product.inputs;
  return { query, key, bias, scale: found.scale };
}

function scaledProduct(
  value: string | undefined,
  view: GraphView,
): { readonly product: GraphNode; readonly scale: number } | undefined {
  const alone = productOf(value, view);
  if (alone !== undefined) return { product: alone, scale: alone.floats.get("alpha") ?? 1 };
  const node = view.maker(value);
  if (node?.operator !== "Mul" && node?.operator !== "Div") return undefined;
  const scaled = view.scaled(node);
  const product = productOf(scaled?.value, view);
  if (scaled === undefined || product === undefined) return undefined;
  const by = node.operator === "Mul" ? scaled.by : 1 / scaled.by;
  return { product, scale: by * (product.floats.get("alpha") ?? 1) };
}

/** Follows the shares of the tokens to the product with their values; a share that is not a number counts as 0. */
function contextOf(softmax: GraphNode, view: GraphView): GraphNode | undefined {
  const [shares = ""] = softmax.outputs;
  const users = view.users(shares);
  const guard = users.find(({ operator }) => operator === "Where");
  const isGuarded = guard !== undefined && view.maker(guard.inputs[0])?.operator === "IsNaN";
  const product = isGuarded ? view.onlyUser(guard.outputs[0]) : view.onlyUser(shares);
  return product?.operator === "MatMul" && product.inputs[0] === (isGuarded ? guard.outputs[0] : shares)
    ? product
    : undefined;
}

/** Follows the attention's result to where all heads of a token are side by side again. */
function joinedHeads(product: GraphNode, view: GraphView): string | undefined {
  const transposed = view.onlyUser(product.outputs[0]);
  const reshaped = view.onlyUser(transposed?.outputs[0]);
  return transposed?.operator === "Transpose" && reshaped?.operator === "Reshape" ? reshaped.outputs[0] : undefined;
}

/** The attention of an encoder's layer: softmax(query × key × scale + bias) × value, of projections of the same input. */
export interface Attention {
  readonly x: string;
  readonly result: string;
  readonly heads: number;
  readonly scale: number;
  /** Added to the scores; "": nothing. */
  readonly bias: string;
  /** Of query, key and value. */
  readonly weights: readonly Constant[];
  readonly biases: readonly Constant[];
}

export function findAttention(view: GraphView): Attention[] {
  return view.graph.nodes.flatMap((softmax): Attention[] => {
    if (softmax.operator !== "Softmax") return [];
    const scores = scoresOf(softmax.inputs[0], view);
    const product = contextOf(softmax, view);
    if (scores === undefined || product === undefined) return [];
    const query = projectionOf(scores.query, view);
    const key = projectionOf(scores.key, view);
    const value = projectionOf(product.inputs[1], view);
    const result = joinedHeads(product, view);
    if (query === undefined || key === undefined || value === undefined || result === undefined) return [];
    const size = headSize(query, view);
    const [width] = query.weight.shape;
    const isOne = query.x === key.x && query.x === value.x && value.scale === 1;
    const isSame = key.weight.shape[0] === width && value.weight.shape[0] === width;
    if (size === undefined || width === undefined || !isOne || !isSame || size < 1 || width % size !== 0) return [];
    const parts = [query, key, value];
    return [
      {
        x: query.x,
        result,
        heads: width / size,
        scale: scores.scale * query.scale * key.scale,
        bias: scores.bias,
        weights: parts.map(({ weight }) => weight),
        biases: parts.map(({ bias }) => bias),
      },
    ];
  });
}
