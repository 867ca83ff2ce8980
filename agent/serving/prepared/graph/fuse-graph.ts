import { type Attention, findAttention } from "./find-attention.ts";
import { findGelu } from "./find-gelu.ts";
import { type Fusion, GraphView, type JoinedConstant, ownDomain } from "./graph-view.ts";
import type { Constant, GraphNode, NumbersPlace, OnnxGraph } from "./onnx-graph.ts";

/** Operators that may be replaced. */
export interface FusionPlan {
  readonly attention: boolean;
  /** Values that are added to the scores of an attention, and do nothing but keep padding out. */
  readonly masks: ReadonlySet<string>;
}

/** Input that is 1 for a token and 0 for padding. */
const maskInput = "attention_mask";
/** The same, of 32 bits. */
const smallMask = "attention_mask_fused";
const int32Type = 6;
/** Added to the score of a token that does not count. */
const least = -3.4028234663852886e38;

const castMask: GraphNode = {
  operator: "Cast",
  domain: "",
  name: smallMask,
  inputs: [maskInput],
  outputs: [smallMask],
  floats: new Map(),
  ints: new Map([["to", int32Type]]),
};

/** Leaves out what nothing uses. */
export function withoutUnused(
  nodes: readonly GraphNode[],
  constants: Iterable<readonly [string, Constant]>,
  results: Iterable<string>,
): Pick<OnnxGraph, "nodes" | "constants"> {
  const used = new Set(results);
  const kept: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    for (const input of node.inputs) used.add(input);
    kept.push(node);
  }
  return { nodes: kept.reverse(), constants: new Map([...constants].filter(([name]) => used.has(name))) };
}

/** Lists the values that are added to the scores of attentions. */
export function attentionBiases(graph: OnnxGraph): string[] {
  const biases = findAttention(new GraphView(graph)).map(({ bias }) => bias);
  return [...new Set(biases)].filter((bias) => bias !== "");
}

function fusedAttention({ x, result, heads, scale, bias, weights, biases }: Attention, isMask: boolean): Fusion {
  const name = `${result}_fused`;
  const [weight, added] = [`${name}_weight`, `${name}_bias`];
  const mask = isMask ? [smallMask] : bias === "" ? [] : ["", "", bias];
  return {
    node: {
      operator: "Attention",
      domain: ownDomain,
      name,
      inputs: [x, weight, added, ...mask],
      outputs: [result],
      floats: new Map([["scale", scale], ...(isMask ? [["mask_filter_value", least] as const] : [])]),
      ints: new Map([["num_heads", heads]]),
    },
    joined: [
      { name: weight, parts: weights },
      { name: added, parts: biases },
    ],
  };
}

/** Returns the constant that is made of others. */
function joinedConstant(constant: JoinedConstant, place: NumbersPlace): Constant {
  const shape = [...(constant.parts[0]?.shape ?? [])];
  shape[shape.length - 1] = constant.parts.reduce((sum, part) => sum + (part.shape.at(-1) ?? 0), 0);
  return { name: constant.name, shape, isFloat32: true, numbers: null, place };
}

/**
 * Replaces groups of operators by single ones of ONNX Runtime that compute the same, up to rounding: each operator costs a lone text time, and
 * each value in between memory.
 * @param store keeps the numbers of a constant made of others
 * @returns null where there is nothing to replace
 */
export function fuseGraph(
  graph: OnnxGraph,
  { attention, masks }: FusionPlan,
  store: (constant: JoinedConstant) => NumbersPlace,
): Pick<OnnxGraph, "nodes" | "constants"> | null {
  const view = new GraphView(graph);
  const attentions = attention ? findAttention(view) : [];
  const found = [...attentions.map((each) => fusedAttention(each, masks.has(each.bias))), ...findGelu(view)];
  if (found.length === 0) return null;
  const fusions = new Map(found.map((fusion) => [fusion.node.outputs[0], fusion.node]));
  const nodes = graph.nodes.map(
    (node) => node.outputs.map((output) => fusions.get(output)).find((each) => each) ?? node,
  );
  const joined = found.flatMap((fusion) =>
    fusion.joined.map((each) => [each.name, joinedConstant(each, store(each))] as const),
  );
  return withoutUnused([castMask, ...nodes], [...graph.constants, ...joined], graph.outputs);
}
