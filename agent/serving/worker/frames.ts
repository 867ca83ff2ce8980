import { type Static, Type } from "@sinclair/typebox";
import type { FileHashes } from "#agent/serving/models/files/hash-model-files.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { orNull } from "#platform/schema-parts.ts";
import { EngineReport } from "../onnxruntime/execution-provider.ts";

/**
 * Message between a serving process and its model worker over a Unix socket: a length-prefixed binary frame, little-endian.
 *
 * | bytes | content |
 * |---|---|
 * | 4 | length of what follows |
 * | 1 | kind |
 * | 4 | batch number; 0 for `ready`, and for the `failure` with which the worker ends |
 * | … | by kind: see the encoders |
 */
export type Frame =
  | {
      readonly kind: "ready";
      readonly loadMs: number;
      readonly engine: EngineReport;
      readonly hashes?: FileHashes;
      /** Operators of the model through which one text of a batch changes another's vector. */
      readonly couplingOperators?: readonly string[];
      readonly weights?: SharedWeights;
      /** The vectors of single tokens can be had. Default: false. */
      readonly tokenVectors?: boolean;
    }
  | {
      readonly kind: "batch";
      readonly batch: number;
      readonly paddedTokens: number;
      readonly texts: readonly Uint32Array[];
    }
  | { readonly kind: "vectors"; readonly batch: number; readonly computeMs: number; readonly vectors: Float32Array[] }
  | { readonly kind: "failure"; readonly batch: number; readonly message: string }
  /** Sign of life and its answer, with a batch number of their own. */
  | { readonly kind: "ping" | "pong"; readonly batch: number };

/** Says whether all processes of a model map the same weights; the reason when they should and don't. */
const SharedWeights = Type.Object({ shared: Type.Boolean(), problem: orNull(Type.String()) });
export type SharedWeights = Static<typeof SharedWeights>;

const ownWeights: SharedWeights = { shared: false, problem: null };
const ReadyReport = Type.Object({
  engine: EngineReport,
  hashes: Type.Record(Type.String(), Type.String()),
  couplingOperators: Type.Array(Type.String()),
  weights: SharedWeights,
  tokenVectors: Type.Boolean(),
});

const kinds = { ready: 1, batch: 2, vectors: 3, failure: 4, ping: 5, pong: 6 } as const;
const headBytes = 9;
/** Maximum size of a frame: 2,048 vectors of 4,096 dimensions and more. */
export const maxFrameBytes = 64 * 1024 * 1024;

function frame(kind: keyof typeof kinds, batch: number, bodyBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(headBytes + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.byteLength - 4, true);
  view.setUint8(4, kinds[kind]);
  view.setUint32(5, batch, true);
  return { bytes, view };
}

function bytesOf(values: Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Encodes a frame. Rows of numbers are copied from memory, because both ends run on the same little-endian machine. */
export function encodeFrame(message: Frame): Uint8Array {
  switch (message.kind) {
    case "ready": {
      // load time f64, then the report as JSON in UTF-8
      const { engine, hashes = {}, couplingOperators = [], weights = ownWeights, tokenVectors = false } = message;
      const content: Static<typeof ReadyReport> = {
        engine,
        hashes,
        couplingOperators: [...couplingOperators],
        weights,
        tokenVectors,
      };
      const report = new TextEncoder().encode(JSON.stringify(content));
      const { bytes, view } = frame("ready", 0, 8 + report.byteLength);
      view.setFloat64(headBytes, message.loadMs, true);
      bytes.set(report, headBytes + 8);
      return bytes;
    }
    case "batch": {
      // padded length u32, number of texts u32, length of each u32, then the tokens u32 (token-types.ts), text after text
      const { texts } = message;
      const tokens = texts.reduce((sum, ids) => sum + ids.length, 0);
      const { bytes, view } = frame("batch", message.batch, 4 * (2 + texts.length + tokens));
      view.setUint32(headBytes, message.paddedTokens, true);
      view.setUint32(headBytes + 4, texts.length, true);
      let offset = headBytes + 8;
      for (const ids of texts) {
        view.setUint32(offset, ids.length, true);
        offset += 4;
      }
      for (const ids of texts) {
        bytes.set(bytesOf(ids), offset);
        offset += ids.byteLength;
      }
      return bytes;
    }
    case "vectors": {
      // compute time f64, number of vectors u32, length of each u32, then the values f32, vector after vector
      const { vectors } = message;
      const values = vectors.reduce((sum, { length }) => sum + length, 0);
      const { bytes, view } = frame("vectors", message.batch, 12 + 4 * (vectors.length + values));
      view.setFloat64(headBytes, message.computeMs, true);
      view.setUint32(headBytes + 8, vectors.length, true);
      let offset = headBytes + 12;
      for (const { length } of vectors) {
        view.setUint32(offset, length, true);
        offset += 4;
      }
      for (const vector of vectors) {
        bytes.set(bytesOf(vector), offset);
        offset += vector.byteLength;
      }
      return bytes;
    }
    case "failure": {
      // text in UTF-8
      const text = new TextEncoder().encode(message.message);
      const { bytes } = frame("failure", message.batch, text.byteLength);
      bytes.set(text, headBytes);
      return bytes;
    }
    case "ping":
    case "pong":
      return frame(message.kind, message.batch, 0).bytes;
    default:
      throw new Error(`frame ${message satisfies never} is of no known kind. This is a bug.`);
  }
}

/** Copies numbers from a frame, which starts at any byte; typed arrays start at a multiple of 4. */
function numbers<T extends Uint32Array | Float32Array>(
  make: new (buffer: ArrayBuffer) => T,
  bytes: Uint8Array,
  offset: number,
  count: number,
): T {
  if (offset + 4 * count > bytes.byteLength) throw new Error(`a frame says ${count} numbers and holds fewer`);
  const copy = new Uint8Array(4 * count);
  copy.set(bytes.subarray(offset, offset + 4 * count));
  return new make(copy.buffer);
}

/**
 * Decodes one whole frame, including its length.
 * @throws Error when it is not valid.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < headBytes || view.getUint32(0, true) !== bytes.byteLength - 4) {
    throw new Error(`a frame of ${bytes.byteLength} bytes has another length written in it`);
  }
  const batch = view.getUint32(5, true);
  const need = (count: number) => {
    if (bytes.byteLength < headBytes + count) throw new Error("a frame is shorter than its kind needs");
  };
  const kind = view.getUint8(4);
  switch (kind) {
    case kinds.ready: {
      need(8);
      const report: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(headBytes + 8)));
      return {
        kind: "ready",
        loadMs: view.getFloat64(headBytes, true),
        ...parseConfig(ReadyReport, report, "a ready frame"),
      };
    }
    case kinds.batch: {
      need(8);
      const count = view.getUint32(headBytes + 4, true);
      const lengths = numbers(Uint32Array, bytes, headBytes + 8, count);
      let offset = headBytes + 8 + 4 * count;
      const texts: Uint32Array[] = [];
      for (const length of lengths) {
        texts.push(numbers(Uint32Array, bytes, offset, length));
        offset += 4 * length;
      }
      return { kind: "batch", batch, paddedTokens: view.getUint32(headBytes, true), texts };
    }
    case kinds.vectors: {
      need(12);
      const count = view.getUint32(headBytes + 8, true);
      const lengths = numbers(Uint32Array, bytes, headBytes + 12, count);
      if (lengths.includes(0)) throw new Error("a frame says a vector without numbers");
      const values = lengths.reduce((sum, length) => sum + length, 0);
      const all = numbers(Float32Array, bytes, headBytes + 12 + 4 * count, values);
      let start = 0;
      const vectors = Array.from(lengths, (length) => {
        start += length;
        return all.subarray(start - length, start);
      });
      return { kind: "vectors", batch, computeMs: view.getFloat64(headBytes, true), vectors };
    }
    case kinds.failure:
      return { kind: "failure", batch, message: new TextDecoder().decode(bytes.subarray(headBytes)) };
    case kinds.ping:
      return { kind: "ping", batch };
    case kinds.pong:
      return { kind: "pong", batch };
    default:
      throw new Error(`a frame is of unknown kind ${kind}`);
  }
}

/** Assembles frames from the pieces that a socket delivers. */
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /**
   * Takes a piece (copied, because the socket may reuse it) and returns the frames that it completes.
   * @throws Error when the stream does not consist of frames; the reader is of no use after that.
   */
  push(piece: Uint8Array): Frame[] {
    this.#pieces.push(piece.slice());
    this.#bytes += piece.byteLength;
    const frames: Frame[] = [];
    while (this.#bytes >= 4) {
      const length = 4 + this.#nextLength();
      if (length > maxFrameBytes)
        throw new Error(`a frame of ${length} bytes is announced; ${maxFrameBytes} are allowed`);
      if (this.#bytes < length) break;
      const all = this.#joined();
      frames.push(decodeFrame(all.subarray(0, length)));
      this.#pieces = [all.subarray(length)];
      this.#bytes -= length;
    }
    return frames;
  }

  #nextLength(): number {
    const first = this.#pieces[0];
    const start = first !== undefined && first.byteLength >= 4 ? first : this.#joined();
    return new DataView(start.buffer, start.byteOffset, 4).getUint32(0, true);
  }

  #joined(): Uint8Array {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const all = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const piece of this.#pieces) {
      all.set(piece, offset);
      offset += piece.byteLength;
    }
    this.#pieces = [all];
    return all;
  }
}
