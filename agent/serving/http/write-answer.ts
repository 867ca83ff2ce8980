import { setImmediate as nextTurn } from "node:timers/promises";

/** Vectors written between two turns of the event loop: about 1 ms for 384 values each. */
const vectorsPerTurn = 64;

/** A JSON answer with many vectors, written in turns so that a large one does not hold up small ones. */
export async function writeAnswer(
  head: string,
  vectors: readonly Float32Array[],
  write: (vector: Float32Array, index: number) => string,
  tail: string,
  truncatedInputs: number,
): Promise<Response> {
  const parts: string[] = [];
  for (const [index, vector] of vectors.entries()) {
    if (index > 0 && index % vectorsPerTurn === 0) await nextTurn();
    parts.push(write(vector, index));
  }
  const headers: Record<string, string> = { "content-type": "application/json" };
  // Nothing is cut silently: beside the field in `usage`, for those whose client hides fields that it doesn't know.
  if (truncatedInputs > 0) headers["x-truncated-inputs"] = String(truncatedInputs);
  return new Response(`${head}${parts.join(",")}${tail}`, { headers });
}
