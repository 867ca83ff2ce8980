import { closeSync, fstatSync, readSync } from "node:fs";
import { openRegularFile } from "#platform/files/read-regular-file.ts";

/** Bytes of an ONNX file, read where they are needed: weights are passed over, so a file of gigabytes takes milliseconds. */
interface Source {
  readonly size: number;
  /** @throws RangeError beyond the end */
  byte(at: number): number;
  text(from: number, to: number): string;
}

const windowBytes = 64 * 1024;

function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    byte(at) {
      const value = bytes[at];
      if (value === undefined) throw new RangeError("the file ends within a field");
      return value;
    },
    text: (from, to) => new TextDecoder().decode(bytes.subarray(from, to)),
  };
}

function fileSource(file: number): Source {
  const buffer = new Uint8Array(windowBytes);
  let start = 0;
  let length = 0;
  const byte = (at: number): number => {
    if (at < start || at >= start + length) {
      start = at;
      length = readSync(file, buffer, 0, windowBytes, at);
      if (length === 0) throw new RangeError("the file ends within a field");
    }
    return buffer[at - start] as number;
  };
  return {
    size: fstatSync(file).size,
    byte,
    text: (from, to) => new TextDecoder().decode(Uint8Array.from({ length: to - from }, (_, i) => byte(from + i))),
  };
}

interface Field {
  readonly number: number;
  /** Place of a field with a length; both 0 for numbers. */
  readonly from: number;
  readonly to: number;
}

/** Walks the fields of one protobuf message. @throws Error when the bytes are none. */
function* fieldsIn(source: Source, from: number, to: number): Generator<Field> {
  let at = from;
  const varint = () => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = source.byte(at);
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new Error("a number in the file has more than ten bytes");
  };
  while (at < to) {
    const key = varint();
    const number = Math.floor(key / 8);
    let length = 0;
    switch (key % 8) {
      case 0:
        varint();
        break;
      case 1:
        length = 8;
        break;
      case 2:
        length = varint();
        break;
      case 5:
        length = 4;
        break;
      default:
        throw new Error(`a field in the file is of unknown wire type ${key % 8}`);
    }
    if (at + length > to) throw new RangeError("a field in the file ends beyond its message");
    const hasLength = key % 8 === 2;
    yield { number, from: hasLength ? at : 0, to: hasLength ? at + length : 0 };
    at += length;
  }
}

/** Numbers of the fields that hold nodes, and what nodes hold, in onnx.proto3. */
const inModel = { graph: 7, functions: 25 } as const;
const inNode = { operator: 4, attribute: 5 } as const;
const inAttribute = { graph: 6, graphs: 11 } as const;
/** Nodes are field 1 of a graph, and field 7 of a function. */
const nodesOf = { graph: 1, function: 7 } as const;

/** Longer than any operator's name. */
const maxNameBytes = 256;
/** Far deeper than any model nests its graphs. */
const maxDepth = 64;

function collect(
  source: Source,
  from: number,
  to: number,
  kind: "graph" | "function",
  depth: number,
  into: Set<string>,
) {
  if (depth > maxDepth) throw new Error(`the file nests graphs more than ${maxDepth} deep`);
  for (const field of fieldsIn(source, from, to)) {
    if (field.number !== nodesOf[kind]) continue;
    for (const part of fieldsIn(source, field.from, field.to)) {
      if (part.number === inNode.operator && part.to - part.from <= maxNameBytes)
        into.add(source.text(part.from, part.to));
      if (part.number !== inNode.attribute) continue;
      for (const inner of fieldsIn(source, part.from, part.to)) {
        if (inner.number === inAttribute.graph || inner.number === inAttribute.graphs)
          collect(source, inner.from, inner.to, "graph", depth + 1, into);
      }
    }
  }
}

function operatorsOf(source: Source): ReadonlySet<string> {
  const operators = new Set<string>();
  for (const { number, from, to } of fieldsIn(source, 0, source.size)) {
    if (number === inModel.graph) collect(source, from, to, "graph", 0, operators);
    if (number === inModel.functions) collect(source, from, to, "function", 0, operators);
  }
  return operators;
}

/**
 * Reads which operators an ONNX file uses, also in graphs within it (`If`, `Loop`) and in its functions. Blocks this thread while it reads.
 * @param model the file, or its path
 * @throws Error when it can't be read, or is no ONNX file
 */
export function readOperators(model: string | Uint8Array): ReadonlySet<string> {
  if (typeof model !== "string") return operatorsOf(bytesSource(model));
  const file = openRegularFile(model);
  try {
    return operatorsOf(fileSource(file));
  } finally {
    closeSync(file);
  }
}
