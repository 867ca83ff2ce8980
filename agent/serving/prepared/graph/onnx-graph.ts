import { readFields, type WireField, WireWriter } from "./wire-format.ts";

/** Numbers of onnx.proto3's fields. */
const inModel = { graph: 7 } as const;
const inGraph = { node: 1, constant: 5, input: 11, output: 12, valueInfo: 13 } as const;
const inNode = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 } as const;
const inAttribute = { name: 1, float: 2, int: 3, type: 20 } as const;
const inTensor = { shape: 1, type: 2, floats: 4, ints: 7, name: 8, raw: 9, entry: 13, location: 14 } as const;
const inEntry = { key: 1, value: 2 } as const;
const inValue = { name: 1, type: 2 } as const;
const inType = { tensor: 1 } as const;
const inTensorType = { element: 1 } as const;
const attributeType = { float: 1, int: 2 } as const;
const tensorType = { float32: 1, int64: 7 } as const;
const inOtherFile = 1;

/** An operation of a graph. */
export interface GraphNode {
  readonly operator: string;
  /** Empty: ONNX's own operators. */
  readonly domain: string;
  readonly name: string;
  /** Names of values; "" for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes that are one number; fractions have a point in the file. */
  readonly floats: ReadonlyMap<string, number>;
  readonly ints: ReadonlyMap<string, number>;
  /** As it was read; undefined: a new node. */
  readonly written?: WireField;
}

/** Place of a constant's numbers in a file beside the graph's. */
export interface NumbersPlace {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A constant of a graph: a weight, a factor, a shape. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly isFloat32: boolean;
  /** Its numbers where they are in the graph's file; null: in another one, or of a type that is not read. */
  readonly numbers: readonly number[] | null;
  readonly place: NumbersPlace | null;
  readonly written?: WireField;
}

/** The graph of an ONNX model. */
export interface OnnxGraph {
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<string, Constant>;
  /** Names of the model's inputs and outputs. */
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
}

const contentOf = ({ value }: WireField): Uint8Array => (typeof value === "number" ? new Uint8Array() : value);
const textOf = (field: WireField): string => new TextDecoder().decode(contentOf(field));
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function readNode(written: WireField): GraphNode {
  const fields = readFields(contentOf(written));
  const texts = (number: number) => fields.filter((field) => field.number === number).map(textOf);
  const floats = new Map<string, number>();
  const ints = new Map<string, number>();
  for (const attribute of fields.filter(({ number }) => number === inNode.attribute)) {
    const parts = readFields(contentOf(attribute));
    const name = parts.find(({ number }) => number === inAttribute.name);
    const type = parts.find(({ number }) => number === inAttribute.type)?.value;
    if (name === undefined) continue;
    const float = parts.find(({ number }) => number === inAttribute.float);
    const int = parts.find(({ number }) => number === inAttribute.int)?.value;
    // A value of 0 may be left out of the file.
    if (type === attributeType.float)
      floats.set(textOf(name), float === undefined ? 0 : viewOf(contentOf(float)).getFloat32(0, true));
    if (type === attributeType.int) ints.set(textOf(name), typeof int === "number" ? int : 0);
  }
  const [operator = ""] = texts(inNode.operator);
  const [domain = ""] = texts(inNode.domain);
  const [name = ""] = texts(inNode.name);
  return {
    operator,
    domain,
    name,
    inputs: texts(inNode.input),
    outputs: texts(inNode.output),
    floats,
    ints,
    written,
  };
}

/** Reads the numbers of a constant that are in the file itself. */
function numbersIn(fields: readonly WireField[], type: number): number[] | null {
  const raw = fields.find(({ number }) => number === inTensor.raw);
  const floats = fields.filter(({ number }) => number === inTensor.floats).map(contentOf);
  if (type === tensorType.float32) {
    return (raw === undefined ? floats : [contentOf(raw)]).flatMap((bytes) =>
      Array.from({ length: bytes.length >> 2 }, (_, i) => viewOf(bytes).getFloat32(4 * i, true)),
    );
  }
  if (type !== tensorType.int64 || raw === undefined) return null;
  const bytes = contentOf(raw);
  return Array.from({ length: bytes.length >> 3 }, (_, i) => Number(viewOf(bytes).getBigInt64(8 * i, true)));
}

function placeIn(fields: readonly WireField[]): NumbersPlace | null {
  const entries = new Map<string, string>();
  for (const entry of fields.filter(({ number }) => number === inTensor.entry)) {
    const parts = readFields(contentOf(entry));
    const part = (wanted: number) => parts.filter(({ number }) => number === wanted).map(textOf)[0] ?? "";
    entries.set(part(inEntry.key), part(inEntry.value));
  }
  const file = entries.get("location");
  if (file === undefined) return null;
  return { file, offset: Number(entries.get("offset") ?? 0), bytes: Number(entries.get("length") ?? 0) };
}

/** Reads a list of numbers, which are one a field or all in one. */
function listIn(fields: readonly WireField[], wanted: number): number[] {
  return fields
    .filter(({ number }) => number === wanted)
    .flatMap(({ value }) => {
      if (typeof value === "number") return [value];
      const numbers: number[] = [];
      let sum = 0;
      let factor = 1;
      for (const byte of value) {
        sum += (byte & 127) * factor;
        factor *= 128;
        if (byte >= 128) continue;
        numbers.push(sum);
        sum = 0;
        factor = 1;
      }
      return numbers;
    });
}

function readConstant(written: WireField): Constant {
  const fields = readFields(contentOf(written));
  const type = fields.find(({ number }) => number === inTensor.type)?.value;
  const name = fields.find(({ number }) => number === inTensor.name);
  const isOutside = fields.find(({ number }) => number === inTensor.location)?.value === inOtherFile;
  return {
    name: name === undefined ? "" : textOf(name),
    shape: listIn(fields, inTensor.shape),
    isFloat32: type === tensorType.float32,
    numbers: isOutside || typeof type !== "number" ? null : numbersIn(fields, type),
    place: isOutside ? placeIn(fields) : null,
    written,
  };
}

const graphOf = (model: Uint8Array): Uint8Array => {
  const graph = readFields(model).find(({ number }) => number === inModel.graph);
  if (graph === undefined) throw new Error("the file has no graph");
  return contentOf(graph);
};

/** Reads the graph of an ONNX file. @throws Error when it is none. */
export function readGraph(model: Uint8Array): OnnxGraph {
  const fields = readFields(graphOf(model));
  const constants = fields.filter(({ number }) => number === inGraph.constant).map(readConstant);
  const names = (wanted: number) =>
    fields
      .filter(({ number }) => number === wanted)
      .flatMap((value) => readFields(contentOf(value)).filter(({ number }) => number === inValue.name))
      .map(textOf);
  return {
    nodes: fields.filter(({ number }) => number === inGraph.node).map(readNode),
    constants: new Map(constants.map((constant) => [constant.name, constant])),
    inputs: new Set(names(inGraph.input)),
    outputs: new Set(names(inGraph.output)),
  };
}

function writeNode({ operator, domain, name, inputs, outputs, floats, ints }: GraphNode): WireWriter {
  const node = new WireWriter();
  for (const input of inputs) node.text(inNode.input, input);
  for (const output of outputs) node.text(inNode.output, output);
  node.text(inNode.name, name).text(inNode.operator, operator);
  for (const [key, value] of floats) {
    const attribute = new WireWriter().text(inAttribute.name, key).float(inAttribute.float, value);
    node.message(inNode.attribute, attribute.number(inAttribute.type, attributeType.float));
  }
  for (const [key, value] of ints) {
    const attribute = new WireWriter().text(inAttribute.name, key).number(inAttribute.int, value);
    node.message(inNode.attribute, attribute.number(inAttribute.type, attributeType.int));
  }
  return node.text(inNode.domain, domain);
}

function writeConstant({ name, shape, place }: Constant): WireWriter {
  if (place === null) throw new Error(`the constant ${name} has no numbers. This is a bug.`);
  const tensor = new WireWriter();
  for (const length of shape) tensor.number(inTensor.shape, length);
  tensor.number(inTensor.type, tensorType.float32).text(inTensor.name, name);
  const { file, offset, bytes } = place;
  for (const [key, value] of Object.entries({ location: file, offset, length: bytes }))
    tensor.message(inTensor.entry, new WireWriter().text(inEntry.key, key).text(inEntry.value, String(value)));
  return tensor.number(inTensor.location, inOtherFile);
}

/**
 * Writes a model with other operators and constants; whatever else is in it stays as it is. Shapes of values in between are left out.
 * @param result the only result, of float32, instead of the model's own
 */
export function writeGraph(
  model: Uint8Array,
  { nodes, constants }: Pick<OnnxGraph, "nodes" | "constants">,
  result?: string,
): Uint8Array {
  const replaced: readonly number[] = [inGraph.node, inGraph.constant, inGraph.valueInfo];
  const graph = new WireWriter();
  for (const node of nodes) {
    if (node.written === undefined) graph.message(inGraph.node, writeNode(node));
    else graph.copy(node.written);
  }
  for (const constant of constants.values()) {
    if (constant.written === undefined) graph.message(inGraph.constant, writeConstant(constant));
    else graph.copy(constant.written);
  }
  for (const field of readFields(graphOf(model)))
    if (!replaced.includes(field.number) && (field.number !== inGraph.output || result === undefined))
      graph.copy(field);
  if (result !== undefined) {
    const type = new WireWriter().number(inTensorType.element, tensorType.float32);
    const value = new WireWriter().text(inValue.name, result);
    graph.message(inGraph.output, value.message(inValue.type, new WireWriter().message(inType.tensor, type)));
  }
  const whole = new WireWriter();
  for (const field of readFields(model)) {
    if (field.number === inModel.graph) whole.message(inModel.graph, graph);
    else whole.copy(field);
  }
  return whole.finish();
}
