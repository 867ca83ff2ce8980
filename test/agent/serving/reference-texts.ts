import { join } from "node:path";

const directory = join(import.meta.dir, "../../fixtures/embeddings");
const dimension = 384;

export interface ReferenceText {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** Vector of the float32 original, scaled to length 1. */
  readonly vector: Float32Array;
}

/** The 40 texts of test/fixtures/embeddings (made by scripts/fixtures/reference-embeddings.py). */
export async function readReferenceTexts(): Promise<ReferenceText[]> {
  const rows = (await Bun.file(join(directory, "texts.json")).json()) as { text: string; tokenIds: number[] }[];
  const values = new Float32Array(await Bun.file(join(directory, "reference.f32")).arrayBuffer());
  return rows.map((row, index) => ({ ...row, vector: values.subarray(index * dimension, (index + 1) * dimension) }));
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i += 1) {
    dot += a[i]! * b[i]!;
    squaresA += a[i]! ** 2;
    squaresB += b[i]! ** 2;
  }
  return dot / Math.sqrt(squaresA * squaresB);
}
