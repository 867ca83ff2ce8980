import { BatchFailedError, type BatchResult, ModelProcessLostError } from "./model-process.ts";

/** Processes that one batch may cost while the text that ends them is being found. */
const maxLosses = 8;

/** True for an error that is the fault of a batch, not of the model or the machine. */
export const isOfBatch = (error: unknown): boolean =>
  error instanceof ModelProcessLostError || error instanceof BatchFailedError;

/**
 * Computes a batch that failed as a whole in ever smaller parts, so that only the text that the model can't compute is refused and the
 * others, which may be other clients', are not. One such text among n costs log2(n) failed attempts.
 * @throws ModelProcessLostError when too many processes are lost, which can't be one text's fault; other errors of `run`.
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
        if (losses > maxLosses) throw error;
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
