import { Message } from "./protobuf.ts";

/** Writes ONNX files of given nodes and weights. Field numbers as in onnx.proto3. */

const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numbers with a fraction are written as floats, whole numbers and lists as integers unless `floats` is set. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  readonly floats?: Readonly<Record<string, number>>;
  /** Graphs within the node, by attribute: the branches of an `If`. */
  readonly graphs?: Readonly<Record<string, Pick<OnnxGraph, "outputs" | "nodes">>>;
  readonly domain?: string;
}

export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type?: ElementType;
  /** Values, or their place in another file beside the ONNX file. */
  readonly values: readonly number[] | { readonly file: string; readonly offset: number; readonly bytes: number };
}

export interface Tensor {
  readonly name: string;
  readonly type: ElementType;
  /** Names for sizes that vary. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly nodes: readonly Node[];
  readonly weights: readonly Weight[];
  /** Functions that nodes of the domain `local` call by their name. */
  readonly functions?: readonly OnnxFunction[];
}

interface OnnxFunction {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
}

function rawBytes(type: ElementType, values: readonly number[]): Uint8Array {
  switch (type) {
    case "float32":
      return new Uint8Array(Float32Array.from(values).buffer);
    case "float16":
      return new Uint8Array(Float16Array.from(values).buffer);
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer);
    case "int64":
      return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer);
    case "bool":
      return Uint8Array.from(values);
  }
}

function weightMessage({ name, dims, type = "float32", values }: Weight): Message {
  const tensor = new Message().text(8, name).int(2, elementTypes[type]);
  for (const size of dims) tensor.int(1, size);
  if (!("file" in values)) return tensor.bytes(9, rawBytes(type, values));
  const { file, offset, bytes } = values;
  for (const [key, value] of Object.entries({ location: file, offset: String(offset), length: String(bytes) }))
    tensor.message(13, new Message().text(1, key).text(2, value));
  return tensor.int(14, 1);
}

function nodeMessage({ op, inputs, outputs, attributes = {}, floats = {}, graphs = {}, domain }: Node): Message {
  const node = new Message();
  for (const input of inputs) node.text(1, input);
  for (const output of outputs) node.text(2, output);
  node.text(4, op);
  for (const [name, value] of Object.entries(attributes)) {
    const attribute = new Message().text(1, name);
    if (typeof value === "number") attribute.int(3, value).int(20, 2);
    else {
      for (const each of value) attribute.int(8, each);
      attribute.int(20, 7);
    }
    node.message(5, attribute);
  }
  for (const [name, value] of Object.entries(floats))
    node.message(5, new Message().text(1, name).float(2, value).int(20, 1));
  for (const [name, graph] of Object.entries(graphs))
    node.message(
      5,
      new Message()
        .text(1, name)
        .message(6, graphMessage({ ...graph, inputs: [], weights: [] }))
        .int(20, 5),
    );
  return domain === undefined ? node : node.text(7, domain);
}

function tensorMessage({ name, type, shape }: Tensor): Message {
  const dims = new Message();
  for (const size of shape) {
    const dim = new Message();
    dims.message(1, typeof size === "number" ? dim.int(1, size) : dim.text(2, size));
  }
  const tensor = new Message().int(1, elementTypes[type]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

function graphMessage({ inputs, outputs, nodes, weights }: OnnxGraph): Message {
  const graph = new Message().text(2, "test");
  for (const node of nodes) graph.message(1, nodeMessage(node));
  for (const weight of weights) graph.message(5, weightMessage(weight));
  for (const input of inputs) graph.message(11, tensorMessage(input));
  for (const output of outputs) graph.message(12, tensorMessage(output));
  return graph;
}

const operatorSet = (domain: string, version: number) => new Message().text(1, domain).int(2, version);

function functionMessage({ name, inputs, outputs, nodes }: OnnxFunction): Message {
  const message = new Message().text(1, name);
  for (const input of inputs) message.text(4, input);
  for (const output of outputs) message.text(5, output);
  for (const node of nodes) message.message(7, nodeMessage(node));
  return message.message(9, operatorSet("", 17)).text(10, "local");
}

/** The bytes of an ONNX file. */
export function onnxFile(model: OnnxGraph): Uint8Array {
  const file = new Message().int(1, 8).message(7, graphMessage(model)).message(8, operatorSet("", 17));
  const { functions = [] } = model;
  if (functions.length > 0) file.message(8, operatorSet("local", 1));
  for (const each of functions) file.message(25, functionMessage(each));
  return file.encoded();
}
