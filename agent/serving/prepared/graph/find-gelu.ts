import { type Fusion, type GraphView, ownDomain } from "./graph-view.ts";
import type { GraphNode } from "./onnx-graph.ts";

const near = (value: number | undefined, wanted: number) => value !== undefined && Math.abs(value - wanted) < 1e-5;

/** Finds x in x ÷ √2, or x × √½. */
function argumentOf(node: GraphNode | undefined, view: GraphView): string | undefined {
  if (node?.operator !== "Div" && node?.operator !== "Mul") return undefined;
  const scaled = view.scaled(node);
  if (scaled === undefined || (node.operator === "Div" && scaled.value !== node.inputs[0])) return undefined;
  return near(scaled.by, node.operator === "Div" ? Math.SQRT2 : Math.SQRT1_2) ? scaled.value : undefined;
}

/** Returns the value that a node multiplies another with; undefined where it does something else. */
function otherFactor(node: GraphNode | undefined, value: string): string | undefined {
  if (node?.operator !== "Mul") return undefined;
  const [a, b] = node.inputs;
  return a === value ? b : b === value ? a : undefined;
}

/** Finds the value x × ½ × (1 + erf) that is made of 1 + erf, in whatever order. */
function productOf(sum: string, x: string, view: GraphView): string | undefined {
  const first = view.onlyUser(sum);
  const by = otherFactor(first, sum);
  const product = first?.outputs[0];
  if (by === undefined || product === undefined) return undefined;
  const half = view.maker(by);
  // (x × ½) × sum
  if (half?.operator === "Mul" && near(view.factor(otherFactor(half, x)), 0.5)) return product;
  const second = view.onlyUser(product);
  const then = otherFactor(second, product);
  const isGelu = by === x ? near(view.factor(then), 0.5) : near(view.factor(by), 0.5) && then === x;
  return isGelu ? second?.outputs[0] : undefined;
}

/** Finds Gaussian error linear units, x × ½ × (1 + erf(x ÷ √2)), with a bias that is added to x before. */
export function findGelu(view: GraphView): Fusion[] {
  return view.graph.nodes.flatMap((node): Fusion[] => {
    const [angle] = node.inputs;
    if (node.operator !== "Erf" || node.domain !== "") return [];
    const x = argumentOf(view.maker(angle), view);
    const plusOne = view.onlyUser(node.outputs[0] ?? "");
    if (x === undefined || plusOne?.operator !== "Add" || !near(view.scaled(plusOne)?.by, 1)) return [];
    const value = productOf(plusOne.outputs[0] ?? "", x, view);
    if (value === undefined) return [];
    const add = view.maker(x);
    const bias = add?.inputs.find((input) => view.constant(input)?.shape.length === 1);
    const raw = add?.inputs.find((input) => input !== bias);
    const isBiased = add?.operator === "Add" && bias !== undefined && raw !== undefined;
    const fused = { domain: ownDomain, name: `${value}_fused`, outputs: [value], floats: new Map(), ints: new Map() };
    const gelu: GraphNode = isBiased
      ? { ...fused, operator: "BiasGelu", inputs: [raw, bias] }
      : { ...fused, operator: "Gelu", inputs: [x] };
    return [{ node: gelu, joined: [] }];
  });
}
