import { Message } from "./protobuf.ts";

/** Writes ONNX files of given nodes and weights. Field numbers as in onnx.proto3. */

const elementTypes = { float32: 1, int32: 6, int64: 7, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numbers with a fraction are written as floats, whole numbers and lists as integers unless `floats` is set. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  readonly floats?: Readonly<Record<string, number>>;
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

function nodeMessage({ op, inputs, outputs, attributes = {}, floats = {} }: Node): Message {
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
  return node;
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

/** The bytes of an ONNX file. */
export function onnxFile({ inputs, outputs, nodes, weights }: OnnxGraph): Uint8Array {
  const graph = new Message().text(2, "test");
  for (const node of nodes) graph.message(1, nodeMessage(node));
  for (const weight of weights) graph.message(5, weightMessage(weight));
  for (const input of inputs) graph.message(11, tensorMessage(input));
  for (const output of outputs) graph.message(12, tensorMessage(output));
  return new Message().int(1, 8).message(7, graph).message(8, new Message().text(1, "").int(2, 17)).encoded();
}
