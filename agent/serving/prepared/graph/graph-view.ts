import type { Constant, GraphNode, OnnxGraph } from "./onnx-graph.ts";

/** A graph by its values: what computes one, and what uses it. */
export class GraphView {
  readonly graph: OnnxGraph;
  readonly #makers = new Map<string, GraphNode>();
  readonly #users = new Map<string, GraphNode[]>();

  constructor(graph: OnnxGraph) {
    this.graph = graph;
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.#makers.set(output, node);
      for (const input of node.inputs) this.#users.set(input, [...(this.#users.get(input) ?? []), node]);
    }
  }

  /** Returns the node that computes a value; undefined for a constant, an input of the model and "". */
  maker(value: string | undefined): GraphNode | undefined {
    return value === undefined ? undefined : this.#makers.get(value);
  }

  users(value: string): readonly GraphNode[] {
    return this.#users.get(value) ?? [];
  }

  /** Returns the only user of a value that is no result of the model. */
  onlyUser(value: string | undefined): GraphNode | undefined {
    if (value === undefined || this.graph.outputs.has(value)) return undefined;
    const users = this.users(value);
    return users.length === 1 ? users[0] : undefined;
  }

  constant(value: string | undefined): Constant | undefined {
    return value === undefined ? undefined : this.graph.constants.get(value);
  }

  /** Returns the number that a value always is, whatever the text; undefined for others. */
  factor(value: string | undefined): number | undefined {
    const constant = this.constant(value);
    if (constant?.isFloat32 !== true || constant.numbers?.length !== 1) return undefined;
    return constant.numbers[0];
  }

  /** Splits a node's two inputs into a value and a number; undefined where neither is always the same number. */
  scaled({ inputs }: GraphNode): { readonly value: string; readonly by: number } | undefined {
    const [a = "", b = ""] = inputs;
    const first = this.factor(a);
    const second = this.factor(b);
    if (second !== undefined) return { value: a, by: second };
    return first === undefined ? undefined : { value: b, by: first };
  }
}

/** Operators of ONNX Runtime's own. */
export const ownDomain = "com.microsoft";

/** A node to put in the place of others. */
export interface Fusion {
  /** Computes what they computed: its only output. */
  readonly node: GraphNode;
  /** Constants that it needs. */
  readonly joined: readonly JoinedConstant[];
}

/** A constant made of others: of matrices side by side, or of lists one after another. */
export interface JoinedConstant {
  readonly name: string;
  readonly parts: readonly Constant[];
}
