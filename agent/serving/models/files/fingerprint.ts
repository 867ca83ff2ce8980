import { type Static, Type } from "@sinclair/typebox";
import type { FileHashes } from "./hash-model-files.ts";

/** Fingerprint of a model at its first load here: hashes of its files, and its vector of a fixed text. */
export const Fingerprint = Type.Object({
  model: Type.String(),
  revision: Type.String(),
  recordedAtMs: Type.Number(),
  files: Type.Record(Type.String(), Type.String()),
  /** By ONNX file and provider; base64 of 32-bit numbers, little-endian. */
  vectors: Type.Record(Type.String(), Type.String()),
});
export type Fingerprint = Static<typeof Fingerprint>;

export interface Likeness {
  readonly model: string;
  readonly revision: string;
  /** Empty for a model inside the executable, whose files are verified anyway. */
  readonly files: FileHashes;
  /** Names of the files whose hashes a manifest states. */
  readonly vouched: ReadonlySet<string>;
  readonly vectorKey: string;
  readonly vector: Float32Array;
}

/** Half precision, another number of threads and another version of the library stay above it. */
const minCosine = 0.999;

const encode = (vector: Float32Array) =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");

function decode(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(Uint8Array.from(bytes.subarray(0, bytes.length - (bytes.length % 4))).buffer);
}

/** Returns 1 for vectors of the same direction, NaN for those of different lengths or without a direction. Single numbers count as 1 when they are close, else as 0. */
export function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.NaN;
  if (a.length === 1)
    return Math.abs((a[0] as number) - (b[0] as number)) <= 0.05 * Math.abs(b[0] as number) + 0.01 ? 1 : 0;
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (const [place, value] of a.entries()) {
    const other = b[place] as number;
    product += value * other;
    squaresA += value * value;
    squaresB += other * other;
  }
  return product / Math.sqrt(squaresA * squaresB);
}

/**
 * Compares a model with the fingerprint of its first load. Files that changed along with the hashes in their manifest make it another
 * model; files that changed without a manifest are doubtful until the record is deleted.
 * @returns the fingerprint to keep, and the reason why the model's vectors may be wrong; null: none
 */
export function judgeFingerprint(
  before: Fingerprint | null,
  now: Likeness,
  nowMs: number,
): { readonly keep: Fingerprint; readonly doubt: string | null } {
  const { model, revision, files, vouched, vectorKey, vector } = now;
  const fresh: Fingerprint = {
    model,
    revision,
    recordedAtMs: nowMs,
    files: { ...files },
    vectors: { [vectorKey]: encode(vector) },
  };
  if (before === null) return { keep: fresh, doubt: null };
  // Carried files are verified: another revision is another model.
  if (Object.keys(files).length === 0 && before.revision !== revision) return { keep: fresh, doubt: null };
  const changed = [...new Set([...Object.keys(before.files), ...Object.keys(files)])].filter(
    (name) => before.files[name] !== files[name],
  );
  const doubtful = changed.filter((name) => !vouched.has(name) && (files[name] !== undefined || vouched.size === 0));
  if (doubtful.length > 0) {
    const since = new Date(before.recordedAtMs).toISOString();
    return {
      keep: before,
      doubt: `${doubtful.join(", ")} changed since the model was first loaded (${since}), and there is no manifest with hashes`,
    };
  }
  if (changed.length > 0) return { keep: fresh, doubt: null };
  const known = before.vectors[vectorKey];
  if (known === undefined)
    return { keep: { ...before, vectors: { ...before.vectors, ...fresh.vectors } }, doubt: null };
  const likeness = cosine(vector, decode(known));
  if (likeness >= minCosine) return { keep: before, doubt: null };
  return {
    keep: before,
    doubt: `its vector of a fixed text differs from that of its first load (cosine ${likeness.toFixed(4)}), although the files are the same`,
  };
}
