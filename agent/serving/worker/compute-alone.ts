import type { BatchCoupling } from "#agent/serving/models/files/batch-coupling.ts";
import { cosine } from "#agent/serving/models/files/fingerprint.ts";
import { type TextTokenizer, tokensToTry } from "#agent/serving/text/text-tokenizer.ts";
import { BatchFailedError, type BatchResult, type ModelProcess } from "./model-process.ts";

/** Below it, a text's vectors alone and in a batch are different ones: other threads and another order of sums stay far above. */
const minCosine = 0.9999;

/** Texts of different lengths and words, as far as the model reads them. */
const probeTexts = [
  "the gripper lost a part",
  "WARNING: torque 3.4 Nm after 5,018 cycles!",
  "Die Anlage steht seit 7:30 Uhr still; 機械 停止 ???",
];

/**
 * Computes texts alone and in one batch, and compares their vectors: what a model's batch does to a text can't be told from its
 * operators alone.
 * @returns how they differ; null when they don't
 * @throws ModelProcessLostError
 */
export async function probeCoupling(
  process: ModelProcess,
  tokenizer: TextTokenizer,
  isPair: boolean,
): Promise<BatchCoupling | null> {
  const texts = probeTexts.map((text) =>
    isPair ? tokenizer.tokenizePair("which part?", text).ids : tokensToTry(tokenizer, text),
  );
  const run = (batch: readonly Uint32Array[]) =>
    process.run(batch, Math.max(...batch.map(({ length }) => length))).catch((error: unknown) => {
      if (error instanceof BatchFailedError) return error;
      throw error;
    });
  const alone: Float32Array[] = [];
  for (const text of texts) {
    const result = await run([text]);
    // What the model can't compute at all is reported when it is asked for.
    if (result instanceof Error || result.vectors[0] === undefined) return null;
    alone.push(result.vectors[0]);
  }
  const together = await run(texts);
  if (together instanceof Error) return { kind: "no-batches", reason: together.message };
  const likeness = Math.min(...alone.map((vector, i) => cosine(vector, together.vectors[i] ?? new Float32Array())));
  // NaN, of vectors without a direction, is no likeness either.
  return likeness >= minCosine ? null : { kind: "measured", cosine: likeness };
}

/** Has a process compute each text of a batch by itself, without padding. */
export function computingAlone(process: ModelProcess): ModelProcess {
  return {
    ...process,
    async run(texts, _paddedTokens, suspect): Promise<BatchResult> {
      const results = await Promise.all(texts.map((text) => process.run([text], text.length, suspect)));
      return {
        vectors: results.flatMap(({ vectors }) => vectors),
        computeMs: results.reduce((sum, { computeMs }) => sum + computeMs, 0),
      };
    },
  };
}
