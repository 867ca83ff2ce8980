import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type InferenceSession, InferenceSession as Session } from "onnxruntime-node";
import { sessionOptions } from "#agent/serving/onnxruntime/session-options.ts";
import { attentionBiases, type FusionPlan, fuseGraph, withoutUnused } from "./graph/fuse-graph.ts";
import type { JoinedConstant } from "./graph/graph-view.ts";
import { type Constant, type NumbersPlace, readGraph, writeGraph } from "./graph/onnx-graph.ts";
import { preparedNames } from "./prepared-models.ts";
import { isClose, isPaddingMask, isSame, type Probe, probeSession } from "./probe-session.ts";

const quiet: InferenceSession.SessionOptions = {
  ...sessionOptions(1, false),
  executionProviders: ["cpu"],
  logSeverityLevel: 3,
};
/** Smallest weights that are kept in the mapped file, bytes. */
const minMappedBytes = 1_024;
/** Files that are needed only meanwhile. */
const temporary = {
  optimised: "optimised.onnx",
  weights: "optimised.onnx.data",
  fused: "fused.onnx",
  joined: "fused.onnx.data",
  bias: "bias.onnx",
} as const;
/** Systems map files in pages of this size, or a part of it. */
const pageBytes = 64 * 1024;
const floatBytes = 4;

const create = (source: Uint8Array | string, options: InferenceSession.SessionOptions) =>
  typeof source === "string" ? Session.create(source, options) : Session.create(source, options);

/** Has ONNX Runtime optimise a model and write it. @returns what it computes */
async function optimise(
  source: Uint8Array | string,
  directory: string,
  { graph, weights, packed }: { readonly graph: string; readonly weights: string; readonly packed: boolean },
): Promise<Probe> {
  const session = await create(source, {
    ...quiet,
    optimizedModelFilePath: join(directory, graph),
    extra: {
      session: {
        optimized_model_external_initializers_file_name: weights,
        optimized_model_external_initializers_min_size_in_bytes: String(minMappedBytes),
        ...(packed ? { save_external_prepacked_constant_initializers: "1" } : {}),
      },
    },
  });
  const probe = await probeSession(session);
  await session.release();
  return probe;
}

/** Reads the numbers of a constant, which are in the graph's file or in the one beside it. */
function numbersOf(directory: string, { numbers, place }: Constant): Uint8Array {
  if (numbers !== null) return new Uint8Array(Float32Array.from(numbers).buffer);
  if (place === null) throw new Error("a constant to join has no numbers. This is a bug.");
  const bytes = new Uint8Array(place.bytes);
  const file = openSync(join(directory, place.file), "r");
  try {
    for (let read = 0, count = 1; read < bytes.length && count > 0; read += count)
      count = readSync(file, bytes, read, bytes.length - read, place.offset + read);
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Joins matrices side by side, or lists one after another. */
function joinParts(directory: string, { parts }: JoinedConstant): Uint8Array {
  const pieces = parts.map((part) => ({
    bytes: numbersOf(directory, part),
    rowBytes: floatBytes * (part.shape.at(-1) ?? 0),
  }));
  const rowBytes = pieces.reduce((sum, piece) => sum + piece.rowBytes, 0);
  const joined = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let start = 0;
  for (const piece of pieces) {
    for (let row = 0; row * piece.rowBytes < piece.bytes.length; row += 1) {
      const from = row * piece.rowBytes;
      joined.set(piece.bytes.subarray(from, from + piece.rowBytes), row * rowBytes + start);
    }
    start += piece.rowBytes;
  }
  return joined;
}

/** Writes a model whose operators are fused. @returns false where there is nothing to fuse */
function writeFused(directory: string, plan: FusionPlan): boolean {
  const model = readFileSync(join(directory, temporary.optimised));
  const file = openSync(join(directory, temporary.joined), "w", 0o600);
  let offset = 0;
  const store = (constant: JoinedConstant): NumbersPlace => {
    const bytes = joinParts(directory, constant);
    for (let written = 0; written < bytes.length; )
      written += writeSync(file, bytes, written, bytes.length - written, offset + written);
    const place = { file: temporary.joined, offset, bytes: bytes.length };
    offset = Math.ceil((offset + bytes.length) / pageBytes) * pageBytes;
    return place;
  };
  try {
    const fused = fuseGraph(readGraph(model), plan, store);
    if (fused === null) return false;
    writeFileSync(join(directory, temporary.fused), writeGraph(model, fused), { mode: 0o600 });
    return true;
  } finally {
    closeSync(file);
  }
}

/** Finds the values, among those that are added to the scores of an attention, that only keep padding out. */
async function findMasks(directory: string): Promise<Set<string>> {
  const model = readFileSync(join(directory, temporary.optimised));
  const graph = readGraph(model);
  const masks = new Set<string>();
  for (const bias of attentionBiases(graph)) {
    const path = join(directory, temporary.bias);
    writeFileSync(path, writeGraph(model, withoutUnused(graph.nodes, graph.constants, [bias]), bias), { mode: 0o600 });
    const session = await create(path, quiet);
    if (await isPaddingMask(session)) masks.add(bias);
    await session.release();
  }
  return masks;
}

/** Writes the prepared model with fused operators. @returns what it computes; null where there is nothing to fuse, or that is something else */
async function prepareFused(directory: string, plan: FusionPlan, expected: Probe): Promise<Probe | null> {
  const [graph, weights] = preparedNames;
  if (!writeFused(directory, plan)) return null;
  const computed = await optimise(join(directory, temporary.fused), directory, { graph, weights, packed: true });
  return isClose(expected, computed) ? computed : null;
}

/** Fuses as much as computes the same: a model may have an attention that ONNX Runtime's operator does not take. */
async function fuse(directory: string, expected: Probe): Promise<Probe | null> {
  const none = new Set<string>();
  const plans: readonly (() => Promise<FusionPlan>)[] = [
    async () => ({ attention: true, masks: await findMasks(directory) }),
    async () => ({ attention: true, masks: none }),
    async () => ({ attention: false, masks: none }),
  ];
  for (const plan of plans) {
    try {
      const written = await prepareFused(directory, await plan(), expected);
      if (written !== null) return written;
    } catch {
      // The next plan asks for less.
    }
  }
  return null;
}

/**
 * Has ONNX Runtime optimise a model and write it with its packed weights, after operators were fused where that changes no number by more
 * than rounding. What is loaded from the result must compute the same numbers to the bit.
 */
export async function writePrepared(source: Uint8Array | string, directory: string): Promise<void> {
  const [graph, weights] = preparedNames;
  const { optimised, weights: unpacked } = temporary;
  const expected = await optimise(source, directory, { graph: optimised, weights: unpacked, packed: false });
  let written = await fuse(directory, expected);
  if (written === null) {
    written = await optimise(source, directory, { graph, weights, packed: true });
    if (!isSame(expected, written)) throw new Error("the prepared model computes different numbers");
  }
  for (const name of Object.values(temporary)) rmSync(join(directory, name), { force: true });
  const prepared = await create(join(directory, graph), quiet);
  if (!isSame(written, await probeSession(prepared))) throw new Error("the prepared model computes different numbers");
}
