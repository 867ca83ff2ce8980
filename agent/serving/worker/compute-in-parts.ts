import { BatchFailedError, type BatchResult, ModelProcessLostError } from "./model-process.ts";

/** So many processes one batch may cost while the text that ends them is looked for. */
const mostLosses = 8;

const isOfBatch = (error: unknown) => error instanceof ModelProcessLostError || error instanceof BatchFailedError;

/**
 * Computes a batch that could not be computed as a whole in ever smaller parts, so that one text that the model can't take is refused
 * and the others, which may be other clients', are not. A single such text among n costs log2(n) attempts that fail.
 * @param run computes a part
 * @throws ModelProcessLostError when too many processes are lost: then it isn't one text's fault. What else `run` throws.
 */
export async function computeInParts(
  texts: readonly Uint32Array[],
  run: (part: readonly Uint32Array[]) => Promise<BatchResult>,
): Promise<BatchResult> {
  const vectors: (Float32Array | undefined)[] = texts.map(() => undefined);
  const refused = new Map<number, Error>();
  let computeMs = 0;
  let losses = 0;
  const computePart = async (from: number, to: number): Promise<void> => {
    try {
      const result = await run(texts.slice(from, to));
      computeMs += result.computeMs;
      for (const [index, vector] of result.vectors.entries()) vectors[from + index] = vector;
    } catch (error) {
      if (!isOfBatch(error)) throw error;
      if (error instanceof ModelProcessLostError) {
        losses += 1;
        if (losses > mostLosses) throw error;
      }
      if (to - from === 1)
        refused.set(from, new BatchFailedError("the model can't compute this text", { cause: error }));
      else await computeHalves(from, to);
    }
  };
  const computeHalves = async (from: number, to: number) => {
    const middle = Math.ceil((from + to) / 2);
    await computePart(from, middle);
    await computePart(middle, to);
  };
  await computeHalves(0, texts.length);
  return { vectors, refused, computeMs };
}
